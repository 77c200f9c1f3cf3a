"""The wheel, installed beside a program that has folders of our names: a stack goes up from it, works, and comes down.

The fresh environment gets the wheel from the installer, and links to what the wheel says that it needs, as installed
here: the versions of `requirements.lock`, without a network. Nothing else of this environment can be imported there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from dataclasses import asdict
from importlib.metadata import PathDistribution, distribution
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from packaging.requirements import Requirement

from local.inventory import inventory
from local.paths import REPOSITORY
from overtime.components import lambda_archive
from overtime.contract import functions_table
from tests.e2e.chain import Chain, function, stack_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import Distribution

    from local.stack import Machine

pytestmark = pytest.mark.e2e

NAMES = ("components", "lambdas", "runner")
PROGRAM = """
import json, sys
from pathlib import Path

import components, lambdas, runner
import overtime
from overtime.automation import Deployment, Engine

given = json.load(sys.stdin)
paths = {name: Path(given["engine"].pop(name)) for name in ("home", "root")}
engine = Engine(**given["engine"], **paths)
deployment = Deployment(given["settings"], stack="wheel", region=given["region"], engine=engine)
result = getattr(deployment, given["method"])(**given["arguments"])
json.dump({
    "outputs": result.outputs,
    "overtime": overtime.__file__,
    "files": [each.__file__ for each in (components, lambdas, runner)],
    "owners": [each.OWNER for each in (components, lambdas, runner)],
    "modules": sorted(sys.modules),
}, sys.stdout)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the environment; returns its interpreter."""
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True)
    [wheel] = folder.glob("*.whl")
    venv.create(folder / "venv", symlinks=True)
    interpreter = folder / "venv" / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    install = [str(uv), "pip", "install", "--quiet", "--offline", "--no-deps", "--python", str(interpreter), str(wheel)]
    subprocess.run(install, check=True)
    [packages] = (folder / "venv" / "lib").glob("python*/site-packages")
    [installed] = packages.glob("overtime-*.dist-info")
    link(needed(PathDistribution(installed)), packages)
    return interpreter


def needed(wanted: Distribution) -> dict[str, Distribution]:
    """Find what a distribution needs, and what that needs, among what is installed here."""
    found: dict[str, Distribution] = {}
    left = [wanted]
    while left:
        requirements = map(Requirement, left.pop().requires or [])
        for each in requirements:
            if each.name not in found and (each.marker is None or each.marker.evaluate({"extra": ""})):
                found[each.name] = distribution(each.name)
                assert each.specifier.contains(found[each.name].version), each
                left.append(found[each.name])
    return found


def link(distributions: dict[str, Distribution], packages: Path) -> None:
    """Link each distribution's folders and modules; several may have a part of one, as of a namespace package."""
    for each in distributions.values():
        for top in {file.parts[0] for file in each.files or []} - {"..", "__pycache__"}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(each.locate_file(top))))


@pytest.fixture
def decoy(tmp_path: Path) -> Path:
    """Write a program whose own packages have our folders' names; its Dockerfile would fail any build."""
    for name in NAMES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text('OWNER = "the program"\n')
    (tmp_path / "runner" / "Dockerfile").write_text("FROM scratch\nCOPY nothing.py /\n")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text('def handler(event, context): return {"ran": event}\n')
    (tmp_path / "main.py").write_text(PROGRAM)
    return tmp_path


class Program:
    """The decoy, which deploys here."""

    def __init__(self, python: Path, folder: Path, here: Machine) -> None:
        self._python, self._folder, self._here = python, folder, here

    def run(self, method: str, **arguments: object) -> dict[str, Any]:
        """Call a method of its deployment; returns what the program wrote."""
        runtime = self._here.runtime
        functions = {"own": {**function("app.handler", runtime), "code": "code"}}
        given = {
            "settings": stack_of(functions, runtime, self._here.base.reference),
            "region": self._here.emulator.settings.region,
            "engine": asdict(self._here.configured_engine()),
            "method": method,
            "arguments": arguments,
        }
        done = subprocess.run(
            [str(self._python), "main.py"],
            cwd=self._folder,
            env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            input=json.dumps(given, default=str),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        written: dict[str, Any] = json.loads(done.stdout)
        return written


@pytest.fixture
def program(python: Path, decoy: Path, here: Machine) -> Iterator[Program]:
    """Give the program, and take its stack down whatever came of it."""
    made, before = Program(python, decoy, here), inventory(here.session)
    try:
        yield made
    finally:
        made.run("destroy", remove=True)
    assert inventory(here.session) == before


def test_a_stack_from_the_installed_wheel(program: Program, here: Machine, python: Path, decoy: Path) -> None:
    """The image is built, the archives are complete, a run ends in a container; and the program has its own modules."""
    up = program.run("up")
    assert Path(up["overtime"]).is_relative_to(python.parents[1])
    assert up["files"] == [str(decoy / name / "__init__.py") for name in NAMES]
    assert up["owners"] == ["the program"] * len(NAMES)
    assert not {"local", "pytest"}.intersection(up["modules"]), "this environment is visible in the fresh one"

    outputs = up["outputs"]
    parts = {"dispatcher": outputs["functions"]["own"]["dispatcher_name"], "watcher": outputs["watcher"]["name"]}
    for part, name in parts.items():
        assert members(here, name) - {functions_table.FILE} == set(lambda_archive.members(part))

    chain = Chain(here, outputs)
    run = chain.run("own", b'{"n": 1}')
    assert (run.state, chain.document("own", run)) == ("succeeded", {"ran": {"n": 1}})
    asked = here.session.client("lambda").invoke(FunctionName=parts["watcher"], Payload=b'{"overtime": "backlog"}')
    assert json.loads(asked["Payload"].read())["functions"].keys() == {outputs["functions"]["own"]["name"]}


def members(here: Machine, function_name: str) -> set[str]:
    """List the files of a deployed function's code."""
    location = here.session.client("lambda").get_function(FunctionName=function_name)["Code"]["Location"]
    with urlopen(location) as answer, zipfile.ZipFile(BytesIO(answer.read())) as archive:
        return set(archive.namelist())
