"""The code of the functions in compiled languages, and the layers: built once, then kept in the cache folder.

The machine's own configuration says where Go modules, crates and Maven's artifacts are fetched from.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from local import apt, engine, paths
from local.errors import LocalError
from local.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HANDLERS = Path(__file__).parents[1] / "handlers"
SECONDS = 900
LAYERS = ("lower", "upper")
OLDEST_CARGO = (1, 84)
"""It knows the setting of rust/Cargo.toml that chooses packages which it can compile."""


class MissingToolError(LocalError):
    """A program is missing that cannot be installed."""


def go() -> Path:
    """Return a folder with a program in Go."""

    def make(target: Path, source: Path) -> None:
        need("go")
        # As AWS recommends: without cgo, so that it needs no library, and without the RPC of the first Go runtime.
        environment = {**engine.go_environment(os.environ), "CGO_ENABLED": "0"}
        command = ["go", "build", "-trimpath", "-tags", "lambda.norpc", "-o", str(target / "bootstrap"), "."]
        run(command, because="The Go handler was not built.", timeout_seconds=SECONDS, cwd=source, env=environment)

    return _kept("go", make)


def rust() -> Path:
    """Return a folder with a program in Rust."""

    def make(target: Path, source: Path) -> None:
        need("cargo")
        version = run(["cargo", "--version"], because="The Rust handler needs cargo.").split()[1]
        if tuple(map(int, version.split(".")[:2])) < OLDEST_CARGO:
            raise MissingToolError(f"cargo {version} is too old for the Rust handler. Install a newer one.")
        work = target / "work"
        command = ["cargo", "build", "--quiet", "--target-dir", str(work)]
        run(command, because="The Rust handler was not built.", timeout_seconds=SECONDS, cwd=source)
        (work / "debug" / "bootstrap").rename(target / "bootstrap")
        shutil.rmtree(work)

    return _kept("rust", make)


def java() -> Path:
    """Return a folder with `nested.zip`, which has a jar of its own in lib/, and `plain.jar`, which has all classes."""

    def make(target: Path, source: Path) -> None:
        need("mvn", "maven")
        need("javac", "default-jdk-headless")
        because = "The Java handler was not built."
        libraries = source / "libraries"
        maven = ["mvn", "--quiet", "--batch-mode", "dependency:copy-dependencies", f"-DoutputDirectory={libraries}"]
        run(maven, because=because, timeout_seconds=SECONDS, cwd=source)
        own, library = source / "own", source / "library"
        for classes, package, path in (library, "library", libraries), (own, "example", library):
            class_path = os.pathsep.join([str(path), *map(str, libraries.glob("*.jar"))])
            sources = [str(file) for file in (source / "src" / package).glob("*.java")]
            javac = ["javac", "--release", "17", "-cp", class_path, "-d", str(classes), *sources]
            run(javac, because=because, timeout_seconds=SECONDS, cwd=source)
        _zip(target / "plain.jar", [own, library])
        _zip(libraries / "library.jar", [library])
        _zip(target / "nested.zip", [own], {f"lib/{jar.name}": jar.read_bytes() for jar in libraries.iterdir()})

    return _kept("java", make)


def native() -> Path:
    """Return a layer with a library, and what calls it: a program, a module of Node.js and a library for Java."""

    def make(target: Path, source: Path) -> None:
        need("gcc", "gcc", "libc6-dev")
        libraries, modules, programs = target / "lib", target / "nodejs" / "node_modules", target / "bin"
        for folder in libraries, modules, programs:
            folder.mkdir(parents=True)
        shared = ("-shared", "-fPIC")
        linked = (f"-L{libraries}", "-lanswer")
        for file, name, options in (
            (libraries / "libanswer.so", "answer.c", shared),
            (libraries / "libanswer_java.so", "java.c", (*shared, *linked)),
            (modules / "answer.node", "node.c", (*shared, *linked)),
            (programs / "answer", "program.c", linked),
        ):
            command = ["gcc", str(source / name), "-o", str(file), *options]
            run(command, because="The native library was not built.", timeout_seconds=SECONDS)

    return _kept("native", make)


def layers() -> dict[str, bytes]:
    """Return the archives of three layers: `lower`, `upper`, which shadows it, and the one with a native library."""
    found = {}
    for name in LAYERS:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            shutil.copytree(HANDLERS / "layers" / name, folder, dirs_exist_ok=True)
            (folder / "java" / "lib").mkdir(parents=True)
            for text in folder.glob("*.txt"):
                _zip(folder / "java" / "lib" / f"{text.stem}.jar", [], {text.name: text.read_bytes()})
            found[f"families-{name}"] = packed([folder])
    return found | {"families-native": packed([native()])}


def need(program: str, *packages: str) -> None:
    """Install a program if it is missing. Raise MissingToolError if that is not possible."""
    if shutil.which(program) is None and packages and apt.available():
        apt.install([*packages], print, because=f"The handlers need {program}.")
    if shutil.which(program) is None:
        raise MissingToolError(f"{program} is not on PATH, so the handlers that need it cannot be built. Install it.")


def packed(folders: Iterable[Path]) -> bytes:
    """Return an archive of some folders' files."""
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "packed.zip"
        _zip(file, folders)
        return file.read_bytes()


def _zip(file: Path, folders: Iterable[Path], more: dict[str, bytes] | None = None) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    archive.write(path, path.relative_to(folder))
        for name, content in (more or {}).items():
            archive.writestr(name, content)


def _kept(name: str, make: Callable[[Path, Path], None]) -> Path:
    """Return the folder that `make` filled from these sources, now or at another time."""
    source = HANDLERS / name
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(source.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(source)}\n".encode() + path.read_bytes())
    cache = paths.make_cache_folder("handlers")
    kept = cache / f"{name}-{digest.hexdigest()[:16]}"
    with paths.locked(cache / f"{name}.lock"):
        if not kept.exists():
            with tempfile.TemporaryDirectory(dir=cache, prefix="new-") as temporary:
                target, copy = Path(temporary) / "target", Path(temporary) / "source"
                target.mkdir()
                shutil.copytree(source, copy)
                make(target, copy)
                target.rename(kept)
    return kept
