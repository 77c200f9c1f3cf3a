"""A set-up that was killed, one that runs at the same time, and what others could put in the way."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local import docker_daemon, leftovers, paths
from local.base_images import python, store
from local.docker_daemon import Places
from local.engine import PREFERRED, text
from local.errors import LocalError
from local.packages import only

PATIENCE_SECONDS = 60
PREPARE = "import sys; from local import engine; print(engine.prepare(lambda line: print(line, flush=True)).binary)"


def test_an_engine_build_that_was_killed_is_begun_anew(tmp_path: Path) -> None:
    """Killed with its working files, 1.6 GB of them in life; the next one removes them and ends well."""
    programs, cache = tmp_path / "bin", tmp_path / "cache"
    programs.mkdir()
    go = programs / "go"
    environ = {"PATH": f"{programs}:/bin:/usr/bin", "XDG_CACHE_HOME": str(cache), "HOME": str(tmp_path)}
    # Nothing is downloaded: no server is behind this proxy.
    environ |= {"https_proxy": "http://127.0.0.1:9", "PYTHONPATH": str(paths.REPOSITORY)}
    go.write_text('#!/bin/sh\n[ "$1" = build ] || exit 0\necho x >"$GOTMPDIR/half"\nexec sleep 600\n')
    go.chmod(0o755)

    command = [sys.executable, "-c", PREPARE]
    first = subprocess.Popen(command, env=environ, cwd=tmp_path, stdout=subprocess.PIPE, text=True, process_group=0)
    assert first.stdout is not None
    folder = cache / "overtime" / "engine"
    deadline = time.monotonic() + PATIENCE_SECONDS
    try:
        while "building" not in (line := first.stdout.readline()):
            assert line
        while not list(folder.glob("new-*/work/half")):
            assert first.poll() is None
            assert time.monotonic() < deadline, "Go's working files are not where they are removed from"
            time.sleep(0.05)
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    assert list(folder.glob("new-*"))

    go.write_text(
        '#!/bin/sh\n[ "$1" = build ] || exit 0\nfor each; do [ "$last" = -o ] && out=$each; last=$each; done\n'
        'mkdir -p "$(dirname "$out")" && echo done >"$out"\n'
    )
    second = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert second.stdout.endswith(f"{folder}/{text(PREFERRED)}/bin/pulumi\n")
    assert not list(folder.glob("new-*"))


def test_who_waits_for_a_lock_says_so(tmp_path: Path) -> None:
    """And who has it at once does not."""
    said: list[str] = []
    with paths.locked(tmp_path / "lock", lambda: said.append("waiting")):
        assert said == []
    program = (
        "import sys; from pathlib import Path; from local import paths\n"
        "with paths.locked(Path(sys.argv[1]), lambda: print('waiting', flush=True)): print('done')"
    )
    with paths.locked(tmp_path / "lock"):
        other = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "lock")],
            cwd=paths.REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert other.stdout is not None
        assert select.select([other.stdout], [], [], 60)[0], "it waits and does not say so"
        assert other.stdout.readline() == "waiting\n"
    assert other.stdout.read() == "done\n"
    assert other.wait() == 0


def test_a_folder_can_be_the_lock(tmp_path: Path) -> None:
    with paths.locked(tmp_path):
        descriptor = os.open(tmp_path, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)
    assert not list(tmp_path.iterdir())


def test_a_lock_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(LocalError, match=r"The lock '.*none/lock' cannot be opened \(No such file"),
        paths.locked(tmp_path / "none" / "lock"),
    ):
        pass


def test_sockets_lie_in_a_folder_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's in /run; a user's in XDG_RUNTIME_DIR, if that is the user's, else below the temporary one."""
    me = os.geteuid() or 4711
    assert paths.run_folder({"XDG_RUNTIME_DIR": str(tmp_path)}, user_id=0) == paths.ROOTS_RUN_FOLDER
    os.chown(tmp_path, me, -1)
    assert paths.run_folder({"XDG_RUNTIME_DIR": str(tmp_path)}, user_id=me) == tmp_path / "overtime"
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/temporary")
    for other in ("", "relative", "/nonexistent", "/proc"):
        found = paths.run_folder({"XDG_RUNTIME_DIR": other}, user_id=me)
        assert str(found) == f"/temporary/overtime-{me}"


def test_a_run_folder_is_closed_to_others(tmp_path: Path) -> None:
    """Whatever the umask is; and one that others could write to, or that is a link, is refused."""
    before = os.umask(0)
    try:
        made = paths.make_run_folder(tmp_path / "overtime" / "abc")
    finally:
        os.umask(before)
    assert [each.stat().st_mode & 0o777 for each in (made, made.parent)] == [0o700, 0o700]
    made.parent.chmod(0o777)
    with pytest.raises(LocalError, match="is not yours alone"):
        paths.make_run_folder(made)
    (tmp_path / "link").symlink_to(tmp_path / "overtime")
    with pytest.raises(LocalError, match="is not yours alone"):
        paths.make_run_folder(tmp_path / "link" / "abc")


def test_another_users_process_is_not_taken_for_the_engine(tmp_path: Path) -> None:
    """After a crash its number may be anybody's: it is not stopped, and does not keep a new engine from starting."""
    places = Places(data=tmp_path / "data", run=tmp_path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as innocent:
        places.pid_file.write_text(str(innocent.pid))
        docker_daemon.stop(places)
        assert innocent.poll() is None
        docker_daemon._forget_a_dead_one(places)
        assert not places.pid_file.exists()
        assert innocent.stdin is not None
        innocent.stdin.close()
        innocent.kill()


def test_mounts_in_a_leftover_are_found(tmp_path: Path) -> None:
    """The deepest first, and names with spaces; what lies beside it stays."""
    line = "36 35 98:0 / {} rw,noatime - proc proc rw\n"
    points = ("a/root/proc", "a/root/proc/sys", "a\\040b/x")
    mountinfo = "".join(line.format(f"{tmp_path}/{point}") for point in points)
    found = leftovers.mounted_below(tmp_path / "a", mountinfo)
    assert found[:2] != []
    assert found.index(f"{tmp_path}/a/root/proc/sys") < found.index(f"{tmp_path}/a/root/proc")
    assert leftovers.mounted_below(tmp_path / "a b", mountinfo) == [f"{tmp_path}/a b/x"]


def test_a_leftover_with_a_mount_is_removed(tmp_path: Path) -> None:
    """As debootstrap mounts /proc in what it makes; nothing of what is mounted is removed."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    inner = tmp_path / "root-x" / "root" / "proc"
    inner.mkdir(parents=True)
    if subprocess.run(
        ["mount", "--bind", str(tmp_path / "precious"), str(inner)], check=False, capture_output=True
    ).returncode:
        pytest.skip("this user may not mount")
    try:
        leftovers.remove(tmp_path / "root-x")
        assert not (tmp_path / "root-x").exists()
        assert (tmp_path / "precious" / "file").exists()
    finally:
        if inner.is_mount():
            subprocess.run(["umount", str(inner)], check=True)


def test_one_packages_lines_are_taken_out_of_the_lock() -> None:
    lock = (paths.REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
    taken = only("uv", lock)
    assert taken.startswith("uv==")
    assert taken.count("==") == 1
    assert "--hash=sha256:" in taken


def test_the_base_image_is_readable_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks run as users who own none of its files, also where the person's umask closes everything to others."""
    umasks: list[int] = []

    def run(command: list[str], **_options: object) -> str:
        umasks.append(os.umask(0o022))
        os.umask(umasks[-1])
        if command[0] == "debootstrap":
            (tmp_path / next(tmp_path.glob("root-*")) / "root" / "tmp").mkdir(parents=True)
        if "save" in command:
            Path(command[command.index("--output") + 1]).touch()
        return ""

    for module in (python, store):
        monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr(python, "follow", lambda command, _say, **options: run(command, **options))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/sbin/{name}")
    before = os.umask(0o077)
    try:
        recipe = python.recipe()
        recipe.make(recipe, "unix:///none", tmp_path / "kept.tar", lambda _line: None)
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
    assert len(umasks) == 6
    assert set(umasks) == {0o022}
