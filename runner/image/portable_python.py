"""Makes a portable Python of the running one: a folder that runs the runner in any image, whatever that contains.

It has the interpreter, its dynamic loader, and those modules and libraries that the runner uses. They are found by
running it, and copied from wherever this distribution keeps them. The loader gets a name that is the same for every
architecture, so that one entry point starts them all.
"""

from __future__ import annotations

import contextlib
import json
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from overtime.runner import heap
from overtime.runner.image import needs
from overtime.runner.image.strip import stripped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PLACE = "/usr/lib/overtime"
"""The folder's place in the image, which tracebacks name."""
ENTRYPOINT = ("lib/ld.so", "--library-path", "lib", "bin/python3", "-I", "-S", "app")
"""The image's entry point; files and folders are below the portable Python's."""
SCRIPTS = ("overtime/runner/child.py", "overtime/runner/bootstrap.py")
"""Files that the function's own Python runs, which may be of any version: they stay sources."""
OLDEST_PYTHON, OLDEST_GLIBC = (3, 11), (2, 34)
"""The oldest that will do: older C libraries load parts of themselves, such as the resolver, when they need them."""
PROBE = Path(__file__).with_name("probe.py")
_ENCODINGS = ("utf-8", "ascii", "latin-1")
"""What a locale may make the interpreter use."""
_THREADS = "libgcc_s.so.1"
"""Loaded only when a thread is ended."""
_LIBRARY = re.compile(r"^\s*(\S+) => (/.*) \(0x[0-9a-f]+\)$", re.MULTILINE)
_LOADER = re.compile(r"/ld[-.][^/]*$")
_BAD_ENVIRONMENT = 64


class UnsuitableError(Exception):
    """The Python cannot be made portable."""


class Loaded:
    """What a Python has loaded."""

    def __init__(self, listed: str) -> None:
        found = json.loads(listed)
        self.modules: Mapping[str, str] = found["modules"]
        """The file of each module that has one, except those that are frozen into the interpreter."""
        self.mapped: Sequence[str] = found["mapped"]
        self.ca_file: str | None = found["ca_file"]


def make(sources: Path, target: Path, ca_stores: Iterable[str] = ()) -> None:
    """Make it in a new folder, and run it there. Raise UnsuitableError.

    `sources` has the runner and what it may import, as packages, and beside them the program to start.
    """
    check(sys.version_info[:2], _glibc(), sys.platform)
    sources, target = sources.resolve(), target.resolve()
    runner = sorted((sources / "overtime" / "runner").glob("*.py"))
    loaded = _probe([sys.executable], sources, sources, [file for file in runner if not _is_script(file, sources)])
    loader = next(file for file in loaded.mapped if _LOADER.search(file))
    interpreter = next(file for file in loaded.mapped if Path(file).samefile(sys.executable))
    libraries = _libraries(loader, [interpreter, *(file for file in loaded.modules.values() if ".so" in file)])
    ca_file = next((file for file in (*ca_stores, loaded.ca_file) if file and Path(file).exists()), None)
    if ca_file is None:
        raise UnsuitableError("it has no CA certificates, which the runner takes along. Install ca-certificates in it.")

    _copy(interpreter, target / "bin" / "python3", executable=True)
    _copy(loader, target / "lib" / "ld.so", executable=True)
    for name, file in libraries.items():
        _copy(file, target / "lib" / name)
    _copy(ca_file, target / "etc" / "ca-certificates.crt")
    _write_program(target / heap.WRAPPER_PLACE, heap.WRAPPER)
    modules = {Path(file) for file in loaded.modules.values()}
    app = {file for file in modules if file.is_relative_to(sources)}
    _copy_library(modules - app, target / sys.platlibdir / f"python{sys.version_info[0]}.{sys.version_info[1]}")
    for module in (sources / "__main__.py", *app):
        _compile(module, target / "app", module.relative_to(sources))
    for name in SCRIPTS:
        _copy(sources / name, target / "app" / name)
    _verify(target, sources, sorted(app))


def check(python: tuple[int, int], glibc: tuple[int, ...], platform: str) -> None:
    """Raise UnsuitableError if a Python of this version cannot be made portable."""
    wanted, found = ".".join(map(str, OLDEST_PYTHON)), ".".join(map(str, python))
    if python < OLDEST_PYTHON:
        raise UnsuitableError(f"the runner needs Python {wanted} or newer, and its python3 is Python {found}.")
    if platform != "linux" or glibc < OLDEST_GLIBC:
        wanted, found = ".".join(map(str, OLDEST_GLIBC)), ".".join(map(str, glibc)) or "none"
        raise UnsuitableError(f"its C library must be glibc {wanted} or newer, and its version of glibc is: {found}.")


def _glibc() -> tuple[int, ...]:
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (OSError, ValueError):
        return ()  # another C library
    return tuple(int(part) for part in version.split(".")[:2]) if name == "glibc" else ()


def _is_script(file: Path, sources: Path) -> bool:
    return file.relative_to(sources).as_posix() in SCRIPTS


def _probe(python: Sequence[str], program: Path, sources: Path, files: Sequence[Path]) -> Loaded:
    """Let this Python do what these sources may make it do, in the way in which the entry point starts it."""
    texts = [file.read_text(encoding="utf-8") for file in files]
    modules = [".".join(file.relative_to(sources).with_suffix("").parts).removesuffix(".__init__") for file in files]
    statements = [f"import {name}" for name in modules]
    statements += sorted({statement for text in texts for statement in needs.imports(text)})
    encodings = sorted({*_ENCODINGS, *(name for text in texts for name in needs.encodings(text))})
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(PROBE, Path(folder) / "__main__.py")
        start = [*python, "-I", "-S", "-B", folder, str(program), "\n".join(statements), " ".join(encodings)]
        done = subprocess.run(start, capture_output=True, text=True, check=False)  # noqa: S603 -- our own program
    if done.returncode:
        raise UnsuitableError(f"the runner cannot do in it what it must:\n{done.stderr}")
    return Loaded(done.stdout)


def _libraries(loader: str, files: Iterable[str]) -> dict[str, str]:
    """Return the libraries that these files need, by the name under which the loader looks for each."""
    found: dict[str, str] = {}
    for file in files:
        command = [loader, "--preload", _THREADS, "--list", file]
        listed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 -- the loader
        if listed.returncode:
            raise UnsuitableError(f"the libraries of {file} cannot be found: {listed.stderr.strip()}")
        # The variants of a library for newer processors would not run on older ones.
        found |= {name: re.sub("/glibc-hwcaps/[^/]+", "", path) for name, path in _LIBRARY.findall(listed.stdout)}
    return {name: path for name, path in found.items() if not Path(path).samefile(loader)}


def _copy_library(modules: Iterable[Path], target: Path) -> None:
    """Copy modules of the standard library, and what the interpreter finds its library by: `os`, `lib-dynload`."""
    library = Path(os.__file__).parent
    (target / "lib-dynload").mkdir(parents=True)
    for file in {*modules, Path(os.__file__)}:
        if file.suffix == ".py":
            _compile(file, target, file.relative_to(library))
        else:
            _copy(file, target / "lib-dynload" / file.name)


def _compile(file: Path, folder: Path, name: Path) -> None:
    """Compile a module; tracebacks will name its place in the image."""
    py_compile.compile(
        str(file),
        str((folder / name).with_suffix(".pyc")),
        dfile=str(Path(PLACE, *folder.parts[-2:], name)),
        doraise=True,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def _copy(file: str | Path, target: Path, *, executable: bool = False) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(stripped(Path(file).read_bytes()))
    target.chmod(0o755 if executable else 0o644)


def _write_program(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)


def command(folder: Path, root: Path = Path("/")) -> list[str]:
    """Return the command that starts the portable Python in this folder with its program."""
    place = Path("/", folder.relative_to(root))
    return [part if part.startswith("-") else str(place / part) for part in ENTRYPOINT]


def _verify(target: Path, sources: Path, app: Sequence[Path]) -> None:
    """Run it on its own: it must load nothing from outside, and the runner must get as far as its own message."""
    loaded = _probe(command(target)[:4], target / "app", sources, app)
    outside = [file for file in {*loaded.mapped, *loaded.modules.values()} if not Path(file).is_relative_to(target)]
    if outside:
        raise UnsuitableError(
            f"it loads files from outside the folder that was made of it: {', '.join(sorted(outside))}."
        )
    told = start(command(target), None)
    if os.geteuid() == 0:
        # In a root that has nothing else, if the kernel allows that. What emulates another architecture is not there.
        with contextlib.suppress(PermissionError, FileNotFoundError):
            told = start(command(target, root=target.parent), target.parent)
    if told.returncode != _BAD_ENVIRONMENT or not told.stderr.startswith("overtime: "):
        raise UnsuitableError(f"the runner does not start in it: exit status {told.returncode}, {told.stderr!r}.")


def start(arguments: Sequence[str], root: Path | None) -> subprocess.CompletedProcess[str]:
    """Start the runner without an environment. Raise PermissionError or FileNotFoundError if it cannot be started."""
    here = os.open("/", os.O_RDONLY)
    try:
        if root is not None:
            os.chroot(root)
        return subprocess.run(arguments, cwd="/", env={}, capture_output=True, text=True, check=False)  # noqa: S603 -- ours
    finally:
        os.fchdir(here)
        if root is not None:
            os.chroot(".")
        os.close(here)
