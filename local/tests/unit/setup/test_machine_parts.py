"""Cache folder, commands, base image and container engine: what is said, and what is asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local import paths
from local.base_images.python import PYTHON_PACKAGES, digest, locked_packages
from local.containers import running
from local.docker_daemon import daemon_command, places
from local.errors import LocalError
from local.process import command_line, run, succeeds

LOCK = "".join(f"{name}==1 \\\n    --hash=sha256:{index}\n    # via x\n" for index, name in enumerate(PYTHON_PACKAGES))


def test_cache_folder_follows_the_xdg_specification() -> None:
    """XDG_CACHE_HOME when it is absolute, else ~/.cache."""
    assert paths.cache_folder({"XDG_CACHE_HOME": "/c", "HOME": "/h"}) == Path("/c/overtime")
    assert paths.cache_folder({"XDG_CACHE_HOME": "relative", "HOME": "/h"}) == Path("/h/.cache/overtime")


def test_a_cache_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The message names the folder and the variable that moves it."""
    (tmp_path / "overtime").write_text("a file in the way")
    with pytest.raises(LocalError, match=r"The cache folder '.*engine' cannot be made .* Set XDG_CACHE_HOME"):
        paths.make_cache_folder("engine", environ={"XDG_CACHE_HOME": str(tmp_path)})


def test_a_failed_command_shows_its_last_words() -> None:
    """The error has the command, its status, what it was for, and what it printed."""
    program = "import sys; print('oh no'); sys.exit(3)"
    with pytest.raises(LocalError, match=r"(?s)ended with status 3\. It was wanted\.\n    oh no"):
        run([sys.executable, "-c", program], because="It was wanted.")


def test_a_missing_program_and_a_slow_one_are_told_apart() -> None:
    """Neither raises anything but a LocalError; `succeeds` says no."""
    with pytest.raises(LocalError, match="could not be started"):
        run(["overtime-no-such-program"], because="")
    with pytest.raises(LocalError, match=r"was not done after 0\.2 s\. It was wanted\."):
        run([sys.executable, "-c", "import time; time.sleep(9)"], because="It was wanted.", timeout_seconds=0.2)
    assert not succeeds(["overtime-no-such-program"])


def test_the_base_image_takes_its_packages_from_the_lock() -> None:
    """Only the image's packages are taken, with their hashes, and comments are left."""
    taken = locked_packages(f"pulumi==3 \\\n    --hash=sha256:f\n{LOCK}")
    assert taken.count("==1") == taken.count("--hash") == len(PYTHON_PACKAGES)
    assert "pulumi" not in taken
    assert "#" not in taken


def test_a_lock_without_them_is_refused() -> None:
    """The message names what is missing and the command that fixes it."""
    with pytest.raises(LocalError, match=r"does not name \['awslambdaric'\].* Run: make lock"):
        locked_packages(LOCK.replace("awslambdaric", "another"))


def test_another_lock_is_another_image() -> None:
    """An image that was made of other packages is not taken for the present one."""
    assert digest(LOCK) == digest(f"pulumi==3\n{LOCK}")
    assert digest(LOCK) != digest(LOCK.replace("boto3==1", "boto3==2"))


def test_the_real_lock_has_all_packages() -> None:
    """requirements.lock names every package of the base image."""
    assert locked_packages((paths.REPOSITORY / "requirements.lock").read_text()).count("==") == len(PYTHON_PACKAGES)


def test_a_docker_host_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """What the person set is never passed over silently."""
    host = f"unix://{tmp_path}/none.sock"
    with pytest.raises(LocalError, match=r"(?s)No container engine answers.*none\.sock: there is no such socket"):
        running({"DOCKER_HOST": host})


def test_our_own_daemon_touches_nothing_of_the_machine() -> None:
    """Own socket, data, exec root and pid file; no bridge, no firewall rules; the driver only where one is forced."""
    command = daemon_command(Path("/d"), Path("/r"), driver=None)
    assert {"--host=unix:///r/docker.sock", "--data-root=/d", "--exec-root=/r/exec", "--pidfile=/r/docker.pid"} < set(
        command
    )
    assert {"--bridge=none", "--iptables=false"} < set(command)
    assert daemon_command(Path("/d"), Path("/r"), driver="vfs") == [*command, "--storage-driver=vfs"]


def test_a_sockets_path_stays_short(tmp_path: Path) -> None:
    """However deep the cache folder lies, the socket's path stays below the kernel's 107 characters."""
    deep = tmp_path / ("x" * 120)
    assert len(str(places({"XDG_CACHE_HOME": str(deep)}).socket)) < 107


@pytest.mark.parametrize("processes", ["/proc", "/nonexistent"], ids=["from proc", "from ps"])
def test_a_process_is_known_by_its_command_line(processes: str) -> None:
    """Where there is no /proc, as on macOS, ps says the same; no process has no command line."""
    if not Path(processes, "self").exists() and shutil.which("ps") is None:
        pytest.skip("no ps here")
    assert Path(sys.executable).name in command_line(os.getpid(), Path(processes))
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        ended.wait()
    assert command_line(ended.pid, Path(processes)) == ""


def test_windows_is_sent_to_wsl() -> None:
    """Before any Python is looked for; bash says what it was built for."""
    done = subprocess.run(
        ["bash", str(paths.REPOSITORY / "local" / "bootstrap.sh"), "local.checks"],
        env={**os.environ, "OSTYPE": "msys"},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "run make in WSL2" in done.stderr
