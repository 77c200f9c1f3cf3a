"""The runner's image on a base image that has nothing: no C library, no shell, no Python, and another user."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.paths import REPOSITORY
from local.provider.docker_build.engine import build
from local.provider.docker_build.inputs import ImageInputs
from local.provider.docker_build.reference import Tag
from overtime.runner.image import portable_python
from overtime.runner.image.base_files import USER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.base_images import BaseImage
    from local.docker_daemon import ContainerEngine

pytestmark = pytest.mark.e2e

BASE, IMAGE = (Tag.parse(f"localhost:1/overtime-test:{name}") for name in ("nothing", "runner"))
PASSWD = "me:x:1000:1000::/:/bin/sh\n"
KEPT = ("opt/kept", "var/task/kept")
LOOK = """
import json, os, sys
places = ("/opt", "/opt/kept", "/var/task", "/var/task/kept", "/tmp", "/etc/passwd", "/usr/lib/overtime/bin/python3")
stats = {place: os.stat(place) for place in places}
print(json.dumps({
    "places": {place: [oct(found.st_mode)[-4:], found.st_uid, found.st_gid] for place, found in stats.items()},
    "passwd": open("/etc/passwd").read(),
    "runtime": os.environ["OVERTIME_RUNTIME"],
    "user": [os.getuid(), os.getgid()],
    "folder": os.getcwd(),
}))
"""


def nothing() -> bytes:
    """Pack a root with a file in each folder of Lambda's, and an /etc/passwd."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in ("etc", "opt", "var", "var/task"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        for name, text in (("etc/passwd", PASSWD), *((name, "") for name in KEPT)):
            file = tarfile.TarInfo(name)
            file.size, file.mode, file.uid, file.gid = len(text), 0o640, 5, 6
            archive.addfile(file, io.BytesIO(text.encode()))
    return packed.getvalue()


@pytest.fixture(scope="module")
def image(docker: ContainerEngine, base: BaseImage) -> Iterator[list[str]]:
    """Build the image, and give the command that runs it."""
    command = ["docker", "--host", docker.host]
    changes = ["--change=USER 65534", "--change=ENV LD_PRELOAD=/opt/kept LD_LIBRARY_PATH=/opt LC_ALL=C"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", docker.host)
        try:
            importing = [*command, "import", *changes, "-", str(BASE)]
            subprocess.run(importing, input=nothing(), capture_output=True, check=True)
            build(
                ImageInputs(
                    tags=(IMAGE,),
                    context=REPOSITORY,
                    dockerfile=REPOSITORY / "runner" / "Dockerfile",
                    build_args={"BASE_IMAGE": str(BASE), "PYTHON_IMAGE": base.reference, "RUNTIME": "provided.al2023"},
                    platform=None,
                    target=None,
                    registries=(),
                )
            )
            yield [*command, "run", "--rm", "--network=none"]
        finally:
            subprocess.run(
                [*command, "image", "rm", "--force", str(IMAGE), str(BASE)], capture_output=True, check=False
            )


def test_the_runner_starts(image: list[str]) -> None:
    done = subprocess.run([*image, "--read-only", str(IMAGE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.partition(":")[0]) == (64, "overtime")


def test_what_the_base_image_has_stays_and_the_handlers_user_owns_its_folders(image: list[str]) -> None:
    loader, *options, _ = portable_python.command(Path(portable_python.PLACE))
    command = [*image, f"--entrypoint={loader}", str(IMAGE), *options, "-c", LOOK]
    seen = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert seen == {
        "places": {
            "/opt": ["0755", 993, 990],
            "/opt/kept": ["0640", 5, 6],
            "/var/task": ["0755", 993, 990],
            "/var/task/kept": ["0640", 5, 6],
            "/tmp": ["1777", 0, 0],
            "/etc/passwd": ["0644", 0, 0],
            "/usr/lib/overtime/bin/python3": ["0755", 0, 0],
        },
        "passwd": f"{PASSWD}{USER}\n",
        "runtime": "provided.al2023",
        "user": [993, 990],
        "folder": "/var/task",
    }
