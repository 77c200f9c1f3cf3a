"""The base images of the other families: what they are made of, and the scripts in them that start a function."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from local import base_images
from local.base_images import java, nodejs, python, tools
from local.errors import LocalError
from overtime.contract.runtimes import RUNTIMES

if TYPE_CHECKING:
    from pathlib import Path

ECHO = "/bin/echo"


def started(runtime: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script with an execution wrapper that prints the command instead of running it."""
    script = folder / "bootstrap"
    family = java if runtime.startswith("java") else nodejs
    script.write_text(family.bootstrap(runtime), encoding="utf-8")
    folders = {"LAMBDA_RUNTIME_DIR": "/var/runtime", "LAMBDA_TASK_ROOT": "/var/task", "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        ["/bin/sh", str(script)],
        env={**folders, "AWS_LAMBDA_EXEC_WRAPPER": ECHO, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_only_known_runtimes_are_made() -> None:
    assert set(base_images.RECIPES) <= set(RUNTIMES)
    with pytest.raises(LocalError, match=r"No base image of 'ruby3\.4' can be made here\. Use one of python3\.11, "):
        base_images.prepare("unix:///none", print, "ruby3.4")


def test_images_differ_by_what_they_are_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another Debian or another start script is another image; a runtime's image never stands for another's."""
    recipes = [make() for make in base_images.RECIPES.values()]
    assert len({each.digest for each in recipes}) == len({each.tag for each in recipes}) == len(recipes)
    monkeypatch.setattr(python, "UNNEEDED", ())
    changed = [make() for make in base_images.RECIPES.values()]
    assert not {each.digest for each in recipes} & {each.digest for each in changed}


def test_npms_packages_are_pinned() -> None:
    """By hash, and without the address of a registry."""
    lock = json.loads((nodejs.HERE / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: each for name, each in lock["packages"].items() if name and not each.get("link")}
    assert packages
    assert all(each["integrity"].startswith("sha512-") and "resolved" not in each for each in packages.values())


def test_older_nodejs_gets_its_heap_whatever_the_function_sets(tmp_path: Path) -> None:
    """As AWS's own script: nine tenths of the function's memory, on the command line."""
    done = started(
        "nodejs22.x", tmp_path, AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512", NODE_OPTIONS="--max-old-space-size=4000"
    )
    assert done.stdout.split() == [
        *("/var/lang/bin/node", "--import", "/var/runtime/node-path.mjs", "--expose-gc"),
        *("--max-http-header-size", "81920", "--no-experimental-require-module", "--no-experimental-detect-module"),
        *("--max-semi-space-size=25", "--max-old-space-size=461", "/var/runtime/index.mjs"),
    ]


@pytest.mark.parametrize("own", ["--max-old-space-size=4000", "--inspect --max_old_space_size=4000"])
def test_newer_nodejs_leaves_the_functions_own_heap(own: str, tmp_path: Path) -> None:
    """What NODE_OPTIONS says of it, in either spelling; the other option is still computed."""
    done = started("nodejs24.x", tmp_path, AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512", NODE_OPTIONS=own)
    assert "old-space" not in done.stdout
    assert "--max-semi-space-size=25" in done.stdout
    plain = started("nodejs24.x", tmp_path, AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512")
    assert "--max-old-space-size=461" in plain.stdout


def test_experimental_features_are_off_as_on_lambda(tmp_path: Path) -> None:
    """Up to nodejs22.x, unless the function switches one on ("Building Lambda functions with Node.js")."""
    own = started("nodejs22.x", tmp_path, NODE_OPTIONS="--experimental-require-module")
    assert "require-module" not in own.stdout
    assert "--no-experimental-detect-module" in own.stdout
    assert "experimental" not in started("nodejs24.x", tmp_path).stdout


def test_nodejs_finds_layers_and_the_sdk(tmp_path: Path) -> None:
    """NODE_PATH names the layers' folders first, unless the function sets it."""
    show = tmp_path / "show"
    show.write_text('#!/bin/sh\necho "$NODE_PATH $AWS_EXECUTION_ENV"\n', encoding="utf-8")
    show.chmod(0o755)
    own = started("nodejs22.x", tmp_path, AWS_LAMBDA_EXEC_WRAPPER=str(show), NODE_PATH="/mine")
    assert own.stdout == "/mine AWS_Lambda_nodejs22.x\n"
    done = started("nodejs22.x", tmp_path, AWS_LAMBDA_EXEC_WRAPPER=str(show))
    folders = (
        "/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task"
    )
    assert done.stdout == f"{folders} AWS_Lambda_nodejs22.x\n"


@pytest.mark.parametrize(("memory", "heap"), [("512", "445645k"), ("4096", "3945472k")])
def test_java_gets_its_heap_on_the_command_line(memory: str, heap: str, tmp_path: Path) -> None:
    """As seen of AWS's own script, which no variable but _JAVA_OPTIONS can outdo; the handler is the last argument."""
    done = started("java17", tmp_path, AWS_LAMBDA_FUNCTION_MEMORY_SIZE=memory, _HANDLER="example.App::handle")
    words = done.stdout.split()
    assert words[:2] == ["/var/lang/bin/java", f"-XX:MaxHeapSize={heap}"]
    client = ["com.amazonaws.services.lambda.runtime.api.client.AWSLambda", "example.App::handle"]
    assert words[-4:] == ["-classpath", "/var/runtime/lib/*", *client]


def test_an_execution_wrapper_that_cannot_run_is_named(tmp_path: Path) -> None:
    """With the status and the words of AWS's script."""
    plain = tmp_path / "plain"
    plain.touch(mode=0o644)
    for wrapper, status, words in ((tmp_path / "none", 127, "does not exist"), (plain, 126, "is not an executable")):
        done = started("nodejs22.x", tmp_path, AWS_LAMBDA_EXEC_WRAPPER=str(wrapper))
        assert (done.returncode, done.stdout) == (status, f"{wrapper}: {words}\n")


def test_missing_build_tools_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where apt cannot install them."""
    monkeypatch.setattr("local.apt.available", lambda: False)
    monkeypatch.setattr("shutil.which", lambda name: None if name in {"cmake", "g++"} else name)
    with pytest.raises(LocalError, match=r"missing: g\+\+, cmake\. It is built\. .*apt-get install g\+\+ cmake"):
        tools.need(nodejs.BUILD_TOOLS, print, because="It is built.")


def test_a_kept_folder_is_filled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And again after a failure, without what that left."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise LocalError("no network")

    with pytest.raises(LocalError, match="no network"):
        tools.kept("kit", "1", fail, print)
    filled: list[Path] = []
    folder = tools.kept("kit", "1", filled.append, print)
    assert tools.kept("kit", "1", filled.append, print) == folder != tools.kept("kit", "2", filled.append, print)
    assert len(filled) == 2
    assert not list(folder.iterdir())
