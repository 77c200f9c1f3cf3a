"""Rules on a function's code and handler: what the runtime's family needs to find and start the handler."""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import TYPE_CHECKING

from overtime.contract.runtimes import DOTNET, JAVA, RUNTIMES
from overtime.settings import code
from overtime.settings.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from overtime.contract.runtimes import Runtime
    from overtime.settings.model import Function
    from overtime.settings.problems import Path as SettingPath

_TASK_ROOT = "/var/task/"


def problems(function: Function, at: SettingPath, root: Path) -> Iterator[Problem]:
    """Yield every problem with a function's code and handler."""
    runtime, folder = RUNTIMES[function.runtime], root / function.code
    wrong = list(_form(function, at, runtime))
    yield from wrong
    unusable = list(_file(function, at, folder, runtime))
    yield from unusable
    if unusable:
        return
    yield from _size(function, at, folder)
    if runtime.family.own_bootstrap:
        yield from _bootstrap(function, at, folder, runtime)
    elif not wrong and not function.layers:  # a layer may contain the rest
        yield from _module(function, at, folder, runtime)


def _form(function: Function, at: SettingPath, runtime: Runtime) -> Iterator[Problem]:
    handler = runtime.family.handler
    rule = f"A handler of {runtime.name} has the form {handler.form}."
    path, reads = (*at, "handler"), ((*at, "runtime"),)
    if not re.fullmatch(handler.pattern, function.handler):
        yield Problem(path=path, value=function.handler, rule=rule, fix=handler.example, reads=reads)
        return
    named, dot, ending = function.handler.rpartition(".")
    # .NET takes the name of an assembly's file.
    if dot and f".{ending}" in runtime.modules and runtime.family is not DOTNET:
        rule = f"This is a file name, so Lambda would look for a function named {ending}. {rule}"
        fix = named if "." in named else f"{named}.{handler.example.rpartition('.')[2]}"
        yield Problem(path=path, value=function.handler, rule=rule, fix=fix, reads=reads)


def _file(function: Function, at: SettingPath, folder: Path, runtime: Runtime) -> Iterator[Problem]:
    path, reads = (*at, "code"), ((*at, "runtime"),)
    if not code.exists(folder):
        rule = f"There is no folder or zip file at {str(folder)!r}. The path is relative to the project's folder."
        yield Problem(path=path, value=function.code, rule=rule, fix="lambdas/primary")
    elif folder.resolve() == folder.resolve().parent:
        rule = "This is the root of the file system. Give the folder of the function's own code."
        yield Problem(path=path, value=function.code, rule=rule, fix="lambdas/primary")
    elif folder.is_file() and folder.suffix not in runtime.family.archives:
        allowed = " or ".join(runtime.family.archives)
        rule = f"Code of {runtime.name} is a folder or a file whose name ends with {allowed}."
        if folder.suffix in JAVA.archives:
            rule += " Only Java code can be a .jar file."
        yield Problem(path=path, value=function.code, rule=rule, fix="lambdas/primary", reads=reads)
    elif fault := code.fault(folder):
        rule = f"{str(folder)!r} cannot be deployed: {fault}."
        yield Problem(path=path, value=function.code, rule=rule, fix="lambdas/primary")


def _bootstrap(function: Function, at: SettingPath, folder: Path, runtime: Runtime) -> Iterator[Problem]:
    name, path = runtime.family.own_bootstrap, (*at, "code")
    reads: tuple[SettingPath, ...] = ((*at, "runtime"), (*at, "layers"))
    found = code.executable(folder, name)
    if found is None and not function.layers:  # a layer may contain it
        rule = (
            f"{function.code!r} contains no {name}, the program that Lambda starts with {runtime.name}. Name your"
            " executable so, or add a layer that contains it."
        )
        yield Problem(path=path, value=function.code, rule=rule, fix="lambdas/primary", reads=reads)
    elif found is False:
        rule = f"{name!r} in {function.code!r} is not executable for everyone, so Lambda could not start it."
        there = shlex.quote(function.code)
        command = f"unzip {there} {name} && chmod 755 {name} && zip {there} {name}"
        if folder.is_dir():
            command = f"chmod 755 {shlex.quote(posixpath.join(function.code, name))}"
        yield Problem(path=path, value=function.code, rule=rule, command_line=command, reads=reads)


def _module(function: Function, at: SettingPath, folder: Path, runtime: Runtime) -> Iterator[Problem]:
    handler = runtime.family.handler
    matched = re.fullmatch(handler.pattern, function.handler)
    if matched is None or not (named := matched["module"]):
        return
    path = (*at, "handler")
    reads: tuple[SettingPath, ...] = ((*at, "code"), (*at, "layers"), (*at, "runtime"))
    module = posixpath.normpath(named.replace(".", "/") if handler.dotted else named).removeprefix(_TASK_ROOT)
    if not code.holds(folder, module, runtime):
        files = [f"{module}{end}" for end in runtime.modules if end.startswith(".")]
        where = f", neither at its top nor in a .jar file in {handler.libraries}" if handler.libraries else ""
        verb = "import" if handler.noun == "module" else "load"
        rule = (
            f"{function.code!r} contains no {_listed(files)}{where}, so Lambda could not {verb} the handler's"
            f" {handler.noun}."
        )
        found = code.some_module(folder, runtime, like=module)
        found = found.replace("/", ".") if handler.dotted else found
        fix = handler.example
        if found:
            fix = function.handler[: matched.start("module")] + found + function.handler[matched.end("module") :]
        yield Problem(path=path, value=function.handler, rule=rule, fix=fix, reads=reads)
        return
    top = [name for name in code.names(folder) if "/" not in name] if "::" in function.handler else None
    missing = [end for end in handler.beside if top is not None and not any(name.endswith(end) for name in top)]
    if missing:
        rule = (
            f"{function.code!r} contains no {named}{missing[0]}, which Lambda needs to start .NET. Give the output of"
            " `dotnet publish`, with GenerateRuntimeConfigurationFiles set to true in the project."
        )
        yield Problem(path=(*at, "code"), value=function.code, rule=rule, fix="lambdas/primary", reads=(path, *reads))


def _listed(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def _size(function: Function, at: SettingPath, folder: Path) -> Iterator[Problem]:
    path, unpacked = (*at, "code"), code.unpacked_size(folder)
    if unpacked > code.LARGEST_UNPACKED:
        rule = (
            f"{str(folder)!r} has {_megabytes(unpacked)} unzipped; Lambda accepts at most"
            f" {_megabytes(code.LARGEST_UNPACKED)}, including layers. Remove files that the handler does not need, and"
            " packages that Lambda provides, such as boto3."
        )
        yield Problem(path=path, value=function.code, rule=rule, fix="lambdas/primary")


def _megabytes(size: int) -> str:
    return f"{size / code.MEGABYTE:.1f} MB".replace(".0 ", " ")
