"""Code and handlers of every family: what Lambda would start is accepted; `wrong_code.yaml` has what it would not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overtime.contract import runtimes
from overtime.contract.runtimes import FAMILIES, RUNTIMES, Family
from overtime.settings import SettingsError, StackContext, parse
from tests.unit.settings import codes

if TYPE_CHECKING:
    from pathlib import Path

LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:shared:1"


@pytest.fixture
def context(tmp_path: Path) -> StackContext:
    codes.make(tmp_path)
    return StackContext(project="overtime", stack="dev", root=tmp_path)


def report_of(context: StackContext, **function: object) -> str:
    try:
        parse({"functions": {"report": function}}, context)
    except SettingsError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("runtime", "code", "handler"),
    [
        ("nodejs22.x", "node", "app.handler"),
        ("nodejs22.x", "node", "src/index.handler"),
        ("nodejs22.x", "node", "./src/index.handlers.report"),
        ("nodejs22.x", "node", "/var/task/src/index.handler"),
        ("nodejs24.x", "typescript", "index.handler"),
        ("java21", "java", "example.Report::handle"),
        ("java21", "java", "example.Report"),
        ("java21", "java", "example.Report$Part::handle"),
        ("java25", "classes", "example.Report"),
        ("java11.al2023", "report.jar", "example.Report::handle"),
        ("java17", "java.zip", "example.Report::handle"),
        ("dotnet8", "dotnet", "Reports::Reports.Report::Handle"),
        ("dotnet10", "dotnet", "Reports"),
        ("dotnet10", "dotnet", "Reports.dll"),
        ("ruby3.4", "ruby", "report.handle"),
        ("ruby3.4", "ruby", "report.Reports::Report.handle"),
        ("ruby4.0", "ruby", "lib/totals.Totals.handle"),
        ("provided.al2023", "go", "bootstrap"),
        ("provided.al2023", "go", "whatever::you/like$"),
        ("provided.al2", "go.zip", "main"),
    ],
)
def test_what_lambda_would_start_is_accepted(context: StackContext, runtime: str, code: str, handler: str) -> None:
    assert report_of(context, runtime=runtime, code=code, handler=handler) == ""


@pytest.mark.parametrize(
    ("runtime", "code", "handler"),
    [
        ("nodejs22.x", "node", "/opt/nodejs/node_modules/monitor/handler.handler"),
        ("java21", "classes", "example.InALayer::handle"),
        ("dotnet8", "library", "Reports::Reports.Report::Handle"),
        ("ruby3.4", "ruby", "monitor.handle"),
        ("provided.al2023", "main", "main"),
    ],
)
def test_what_is_missing_may_be_in_a_layer(context: StackContext, runtime: str, code: str, handler: str) -> None:
    """Nobody looks into layers: they are in AWS."""
    assert report_of(context, runtime=runtime, code=code, handler=handler) != ""
    assert report_of(context, runtime=runtime, code=code, handler=handler, layers=[LAYER]) == ""


@pytest.mark.parametrize(
    ("runtime", "name", "handler"),
    [
        ("nodejs22.x", "index", "index.handler"),
        ("dotnet10", "Reports", "Reports"),
        ("provided.al2023", "bootstrap", "a"),
    ],
)
def test_a_folder_in_an_archive_is_no_file(context: StackContext, runtime: str, name: str, handler: str) -> None:
    """`zip -r` writes entries for folders, too."""
    (context.root / "code.zip").write_bytes(codes.archive({f"{name}/": 0o755, f"{name}/other.txt": b""}))
    report = report_of(context, runtime=runtime, code="code.zip", handler=handler)
    assert f"'code.zip' contains no {name}" in report


def test_a_native_program_is_an_assembly_too(context: StackContext) -> None:
    """.NET's start script looks for the assembly's file, then for an executable of the same name."""
    codes.folder(context.root / "native", {"Reports": 0o755})
    assert report_of(context, runtime="dotnet10", code="native", handler="Reports") == ""


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_an_example_has_the_form_that_it_explains(family: Family) -> None:
    """It is offered as the fix for any other form, so it must not lead to the same message again."""
    assert re.fullmatch(family.handler.pattern, family.handler.example)
    assert family.handler.example in family.handler.form


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True).filter(lambda name: name not in {"js", "py", "rb"})
PATHS = st.lists(NAMES, min_size=1, max_size=3)
WAYS = {
    runtimes.PYTHON: (".", "{}.py", "{}.{}"),
    runtimes.NODEJS: ("/", "{}.cjs", "{}.exports.{}"),
    runtimes.JAVA: (".", "{}.class", "{}::{}"),
    runtimes.RUBY: ("/", "{}.rb", "{}.Class.{}"),
}
"""How a handler separates folders, the name of a module's file, and how a handler is written, by family."""


@pytest.mark.parametrize("family", WAYS, ids=lambda family: family.name)
@given(path=PATHS, function=NAMES)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_module_is_found_wherever_it_is(
    family: Family, path: list[str], function: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In a folder and in an archive; without its file, the handler is refused."""
    separator, file, handler = WAYS[family]
    root, name = tmp_path_factory.mktemp("project"), file.format("/".join(path))
    codes.folder(root / "code", {name: b"", "other.txt": b""})
    (root / "code.zip").write_bytes(codes.archive({name: b"", "other.txt": b""}))
    context = StackContext(project="overtime", stack="dev", root=root)
    function_settings = {
        "runtime": runtimes.newest(family).name,
        "handler": handler.format(separator.join(path), function),
    }
    assert report_of(context, code="code", **function_settings) == ""
    assert report_of(context, code="code.zip", **function_settings) == ""
    (root / "code" / name).unlink()
    assert " contains no " in report_of(context, code="code", **function_settings)


@given(handler=st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"]), min_size=1))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_handler_gets_an_answer(handler: str, context: StackContext) -> None:
    """No text breaks the checks, whatever the family; what is offered instead has the right form."""
    for family in FAMILIES:
        try:
            parse(
                {
                    "functions": {
                        "report": {"runtime": runtimes.newest(family).name, "code": "code", "handler": handler}
                    }
                },
                context,
            )
        except SettingsError as error:
            for problem in error.problems:
                if problem.path[-1] == "handler" and problem.fix is not None:
                    assert re.fullmatch(f"{family.handler.pattern}|handler.handler", str(problem.fix))


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runtime_has_a_message_of_its_own(name: str, context: StackContext) -> None:
    """Whether AWS still creates functions with it or not: never a crash, and never another runtime's form."""
    text = report_of(context, runtime=name, code="code", handler="a b")
    assert "Give the handler in its runtime's notation" in text
    assert (f"Lambda has created no functions with {name}" in text) is not RUNTIMES[name].creatable
