"""The function of each family, and the bare start of its interpreter beside it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

NODE_HANDLER = """\
exports.handler = async (event) => {
  process.stdout.write(`FIRST ${process.hrtime.bigint()}\\n`);
  return event;
};
"""
NODE_BARE = "process.stdout.write(`FIRST ${process.hrtime.bigint()}\\n`)"
JAVA_HANDLER = """\
public class Handler {
    public String handle(Object event) {
        first();
        return "done";
    }
    public static void main(String[] arguments) {
        first();
    }
    private static void first() {
        System.out.println("FIRST " + System.nanoTime());
        System.out.flush();
    }
}
"""
CODE = "/bench/code"
"""Where the container finds the code in place, for the starts that do not fetch it."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """One family's function."""

    runtime: str
    handler: str
    files: Callable[[Path], Mapping[str, bytes]]
    """Makes the files of the code, in a folder to work in."""
    bare: tuple[str, ...]
    """The command of the interpreter alone, which prints the same line."""


def _node(_: Path) -> dict[str, bytes]:
    return {"index.js": NODE_HANDLER.encode()}


def _java(work: Path) -> dict[str, bytes]:
    if shutil.which("javac") is None:
        raise SystemExit("The bench compiles a class: install a JDK (apt-get install openjdk-17-jdk-headless).")
    (work / "Handler.java").write_text(JAVA_HANDLER)
    run(["javac", "--release", "17", str(work / "Handler.java")], because="The bench's class could not be compiled.")
    return {"Handler.class": (work / "Handler.class").read_bytes()}


PROGRAMS = (
    Program(runtime="nodejs22.x", handler="index.handler", files=_node, bare=("/var/lang/bin/node", "-e", NODE_BARE)),
    Program(
        runtime="java17", handler="Handler::handle", files=_java, bare=("/var/lang/bin/java", "-cp", CODE, "Handler")
    ),
)
