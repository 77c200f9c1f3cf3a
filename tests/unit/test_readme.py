"""The README's tables and links say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from overtime.contract.runtimes import FAMILIES, RUNTIMES
from overtime.settings import Function, Settings
from tests.setting_paths import paths

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def rows() -> dict[str, str]:
    """Read the configuration table: default by key."""
    table = README.partition("## Configuration")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `([^`]+)` \| (.*?) \|", table, flags=re.MULTILINE))


def anchors(page: Path) -> set[str]:
    """Name the headings of a page as GitHub's links do."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_the_configuration_table_names_every_setting_and_no_other() -> None:
    assert set(rows()) == set(paths(Settings))


def test_the_configuration_table_gives_the_defaults_of_the_dev_stack() -> None:
    config = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8"))["config"]
    sections = {key.removeprefix("overtime:"): value for key, value in config.items()}
    differing = {"code", "handler", "permissions", "assign_public_ip", "subnet_ids", "security_group_ids"}
    for key, shown in rows().items():
        if key.rpartition(".")[2] in differing:
            continue
        value = sections
        for part in key.replace("<key>", "report").split("."):
            value = value[part]
        assert yaml.safe_load(shown.strip("`")) == value, key


def test_the_table_of_runtimes_lists_those_of_new_functions() -> None:
    """By family, and in order."""
    table = README.partition("### Runtimes\n")[2].partition("\n## ")[0]
    listed = [re.findall(r"`([^`]+)`", row) for row in re.findall(r"^\| (`.*?) \|", table, flags=re.MULTILINE)]
    creatable = [each for each in RUNTIMES.values() if each.creatable]
    assert listed == [[each.name for each in creatable if each.family is family] for family in FAMILIES]


def test_the_worst_case_follows_from_the_defaults_and_the_prices() -> None:
    defaults = Function(code=".", handler="handler.handler")
    vcpu_price, gb_price = map(float, re.findall(r"\$(0\.\d+) a (?:vCPU|GB)-hour", README))
    address_price = 0.005
    an_hour = defaults.task.cpu / 1024 * vcpu_price + defaults.task.memory_mib / 1024 * gb_price + address_price
    hours, most, longest = defaults.max_runtime / 3600, defaults.max_concurrent_runs, defaults.longest_run
    assert most
    assert longest
    for said in (
        f"{hours:.0f} h \u00d7 {100 * an_hour:.1f} cents = ${hours * an_hour:.2f}",
        f"after {longest / 3600:.0f} hours and {100 * longest / 3600 * an_hour:.0f} cents",
        f"`max_runtime` ({hours / 24:.0f} days)",
        (
            f"`max_concurrent_runs` ({most}) allows | ${most * an_hour:.2f} an hour, ${24 * most * an_hour:.0f} a day,"
            f" ${hours * most * an_hour:.0f} in {hours / 24:.0f} days"
        ),
        f"a thousand runs are ${1000 * an_hour:.0f} an hour, ${1000 * 14 * 24 * an_hour:,.0f} in 14 days",
    ):
        assert said in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_project_lead_somewhere(page: Path) -> None:
    """To a file, and to a heading of it where the link names one."""
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        linked = page.parent / target if target else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), f"{target}#{anchor}"


def test_removing_a_stack_keeps_its_settings() -> None:
    """Without `--preserve-config`, `pulumi stack rm` deletes the file that holds every setting."""
    commands = [
        command
        for page in PAGES
        for command in re.findall(r"pulumi stack (?:rm|remove).*", page.read_text(encoding="utf-8"))
    ]
    assert commands
    assert [command for command in commands if "--preserve-config" not in command] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_make_targets_that_are_named_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:`|\$ )make ([a-z.][a-z/.-]+)", page.read_text(encoding="utf-8"))):
        assert re.search(rf"^{re.escape(target)}:", makefile, flags=re.MULTILINE), target


def test_the_files_to_change_exist() -> None:
    """CONTRIBUTING.md names a file by its path, or by its name where that is enough."""
    named = set(re.findall(r"`([\w/.]+\.(?:py|yaml|md))`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    places = ("overtime", "components", "lambdas", "runner", "local", "tests")
    names = {file.name for place in places for file in (ROOT / place).rglob("*")}
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).is_file() and name not in names] == []
