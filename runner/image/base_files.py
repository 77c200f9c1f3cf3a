"""What else the image needs, which the base image may have in part: the handler's user and the folders of Lambda."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

USER = "sbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin"
"""The user of Lambda's own sandbox, as its /etc/passwd has it."""


def lay_out(target: Path, base_etc: Path) -> None:
    """Make the folders that the last stage copies into the base image's.

    A copy gives its one owner to all that is in a folder, so every owner and parent folder has its own.
    """
    root = target / "root"
    for folder in (
        root / "etc",
        root / "var",
        root / "tmp",
        target / "owned" / "opt",
        target / "owned-in-var" / "task",
    ):
        folder.mkdir(parents=True)
    passwd = base_etc / "passwd"
    text = passwd.read_text(encoding="utf-8", errors="surrogateescape") if passwd.exists() else ""
    (root / "etc" / "passwd").write_text(with_user(text), encoding="utf-8", errors="surrogateescape")


def make_uniform(target: Path) -> None:
    """Make the layers of the same files the same, whoever builds them, so that registries and hosts store them once."""
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (0, 0))
    (target / "root" / "tmp").chmod(0o1777)


def with_user(passwd: str) -> str:
    """Return the text of /etc/passwd with the handler's user, if no user has its number."""
    if any(line.split(":")[2:3] == [USER.split(":")[2]] for line in passwd.splitlines()):
        return passwd
    return "".join(f"{line}\n" for line in (*passwd.splitlines(), USER))
