"""The image's recipe without an engine: what is copied, what the build stage makes, and what it refuses."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.provider.docker_build.context import context_files
from overtime.components.runner_image import image_files
from overtime.runner.image import base_files, portable_python
from tests.doubles import runner_image
from tests.doubles.runner_image import COPIES, DOCKERFILE, staged
from tests.unit.runner.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence


INSTRUCTIONS = [line for line in DOCKERFILE.splitlines() if line and line[0].isupper()]
LAST_STAGE = INSTRUCTIONS[max(number for number, line in enumerate(INSTRUCTIONS) if line.startswith("FROM ")) :]
PASSWD = "root:x:0:0:root:/root:/bin/sh\n"


def test_the_build_sees_what_it_copies_and_nothing_else() -> None:
    """A file that is sent and not copied would be a change that changes nothing; what is not sent fails the build."""
    copied = {
        file.relative_to(ROOT).as_posix() for sources, _ in COPIES for name in sources for file in ROOT.glob(name)
    }
    assert set(context_files(ROOT, ROOT / "runner" / "Dockerfile")) == copied


def test_the_tag_counts_every_file_that_the_build_sees() -> None:
    """The tag (overtime.components.runner_image) and the context agree on what the image is made of."""
    seen = context_files(ROOT, ROOT / "runner" / "Dockerfile")
    assert {name for name in image_files() if name.endswith(".py")} == set(seen)


def test_every_source_is_there() -> None:
    """A file that was renamed is missed here and not in the build."""
    assert [name for sources, _ in COPIES for name in sources if not [*ROOT.glob(name)]] == []


def test_the_last_stage_runs_nothing_and_ends_as_the_handlers_user() -> None:
    """It needs neither a shell in the base image nor emulation, and whatever user the base image ends with."""
    kinds = [line.partition(" ")[0] for line in LAST_STAGE]
    assert "RUN" not in kinds
    assert [line for line in LAST_STAGE if line.startswith("USER ")] == ["USER 993:990"]


def test_nothing_of_the_base_image_is_preloaded_into_the_runner() -> None:
    """Its loader reads LD_PRELOAD, and ends if such a library needs a newer C library than the runner's."""
    assert "ENV LD_PRELOAD=" in LAST_STAGE


def test_the_entry_point_is_what_the_build_has_tried() -> None:
    [entry] = [line for line in INSTRUCTIONS if line.startswith("ENTRYPOINT ")]
    assert json.loads(entry.removeprefix("ENTRYPOINT ")) == portable_python.command(Path(portable_python.PLACE))


@pytest.mark.parametrize("gone", ["contract/task_requests.py", "errors.py", "runner/outcome.py"])
def test_a_file_that_is_not_in_the_image_fails_its_build(tmp_path: Path, gone: str) -> None:
    (staged(tmp_path / "src") / "overtime" / gone).unlink()
    built = runner_image.build(tmp_path / "src", tmp_path / "image", base_etc=tmp_path)
    assert built.returncode != 0
    assert re.search("ModuleNotFoundError|ImportError", built.stderr)


@pytest.mark.parametrize(
    ("python", "glibc", "platform", "text"),
    [
        ((3, 10), (2, 36), "linux", "needs Python 3.11 or newer, and its python3 is Python 3.10."),
        ((3, 9), (2, 26), "linux", "needs Python 3.11 or newer"),
        ((3, 13), (2, 31), "linux", "must be glibc 2.34 or newer, and its version of glibc is: 2.31."),
        ((3, 13), (), "linux", "must be glibc 2.34 or newer, and its version of glibc is: none."),
        ((3, 13), (2, 36), "darwin", "must be glibc 2.34 or newer"),
    ],
)
def test_a_python_that_cannot_travel_is_refused(
    python: tuple[int, int], glibc: Sequence[int], platform: str, text: str
) -> None:
    with pytest.raises(portable_python.UnsuitableError, match=re.escape(text)):
        portable_python.check(python, tuple(glibc), platform)


def test_an_emulator_that_is_outside_the_root_does_not_fail_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BuildKit's, for another architecture, is started from /proc, which the empty root has not."""

    def leave(_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "ld.so")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chroot", lambda root: None if root == "." else leave(root))
    target = tmp_path / "image"
    portable_python.make(staged(tmp_path / "src"), target)
    assert (target / "bin" / "python3").exists()


def test_the_oldest_python_that_can_travel_does() -> None:
    portable_python.check((3, 11), (2, 34), "linux")


def test_a_build_that_fails_names_the_setting(tmp_path: Path) -> None:
    """What is wrong with the image that the Python comes from is told with the name of the setting to change."""
    sources = staged(tmp_path / "src")
    trust = sources / "overtime" / "runner" / "trust.py"
    trust.write_text(trust.read_text() + "\n\ndef later():\n    import not_in_this_python\n")
    built = runner_image.build(sources, tmp_path / "image", base_etc=tmp_path)
    assert built.returncode == 1
    assert "PYTHON_IMAGE (setting image.python_image)" in built.stderr
    assert "No module named 'not_in_this_python'" in built.stderr


@pytest.mark.parametrize(
    ("passwd", "users"),
    [
        (PASSWD, [base_files.USER]),
        (PASSWD.rstrip(), [base_files.USER]),
        ("", [base_files.USER]),
        (PASSWD + "nobody:x:65534:993:nobody:/:/sbin/nologin\n", [base_files.USER]),
        (PASSWD + "a:993:1000:1000::/:/bin/sh\n", [base_files.USER]),
        (PASSWD + "a:x:1993:990::/:/bin/sh\n", [base_files.USER]),
        (PASSWD + "me:x:993:990::/:/bin/sh\n", []),
    ],
)
def test_the_handlers_user_is_added_unless_there_is_one(passwd: str, users: list[str]) -> None:
    """A group or a password that happens to be 993 is no user, and nothing else of the file changes."""
    assert base_files.with_user(passwd).splitlines() == [*passwd.splitlines(), *users]


def test_the_folders_that_the_image_gives_away_are_alone(tmp_path: Path) -> None:
    """The last stage gives everything in these folders to the handler's user, and nothing else."""
    image, etc = tmp_path / "image", tmp_path / "etc"
    etc.mkdir()
    (etc / "passwd").write_bytes(b"caf\xe9:x:1:1::/:/bin/sh\n")
    base_files.lay_out(image, etc)
    base_files.make_uniform(image)
    made = {path.relative_to(image).as_posix(): path.stat().st_mode & 0o7777 for path in image.rglob("*")}
    folders = ("owned", "owned/opt", "owned-in-var", "owned-in-var/task", "root", "root/etc", "root/var")
    assert made == {**dict.fromkeys(folders, 0o755), "root/tmp": 0o1777, "root/etc/passwd": 0o644}
    assert (image / "root" / "etc" / "passwd").read_bytes().startswith(b"caf\xe9:x:1:1")
