from __future__ import annotations

import csv
import json
import re

from local.__main__ import play
from local.base_images import BaseImage
from local.demo import sales
from local.demo.settings import changed, changes, dev_settings
from local.paths import REPOSITORY
from overtime.lambdas.primary.handler import Totals, report
from overtime.settings import StackContext, parse

BASE = BaseImage(reference="base:1", runtime="python3.11")


def test_the_changed_settings_are_the_dev_stack_but_for_what_is_shown() -> None:
    settings = changed(dev_settings(), changes(BASE, BASE))
    function = parse(settings, StackContext(project="overtime", stack="local", root=REPOSITORY)).functions["report"]
    assert (function.runtime, function.timeout_seconds, function.attempts) == ("python3.11", 2, 3)
    assert dev_settings()["functions"]["report"]["timeout_seconds"] == 900


def test_the_sample_in_nodejs_is_another_folder() -> None:
    """Its image takes the runner's Python from the image that has one."""
    nodejs = BaseImage(reference="base:2", runtime="nodejs22.x")
    context = StackContext(project="overtime", stack="local", root=REPOSITORY)
    settings = parse(changed(dev_settings(), changes(nodejs, BASE)), context)
    function = settings.functions["report"]
    assert (function.runtime, function.handler) == ("nodejs22.x", "index.handler")
    assert (settings.image.python_image, dict(settings.image.base_images)) == ("base:1", {"nodejs22.x": "base:2"})
    assert (REPOSITORY / function.code / "index.mjs").exists()


def test_an_arm_computer_needs_no_emulation() -> None:
    """Apple's are named `arm64`, Linux says `aarch64`; what an x86_64 computer changes does not name the setting."""
    key = "functions.report.architecture"
    assert [changes(BASE, BASE, machine).get(key) for machine in ("arm64", "aarch64", "x86_64")] == [
        "arm64",
        "arm64",
        None,
    ]
    function = parse(
        changed(dev_settings(), changes(BASE, BASE, "arm64")),
        StackContext(project="overtime", stack="local", root=REPOSITORY),
    ).functions["report"]
    assert function.architecture == "arm64"


def test_a_change_may_name_a_section_that_is_not_there() -> None:
    assert changed({}, {"image.base_images": {"python3.11": "x"}}) == {"image": {"base_images": {"python3.11": "x"}}}


def test_the_page_on_playing_has_the_commands_that_are_printed() -> None:
    """What `make up-local` tells people to type is what docs/local.md shows."""
    page = (REPOSITORY / "docs" / "local.md").read_text(encoding="utf-8")
    shown = re.search(r"```console\n\$ (.*?)\n```", page, flags=re.DOTALL)
    assert shown
    assert shown[1].replace("\n$ ", "\n").splitlines() == play("<ledger_table>")


def test_the_expected_report_comes_another_way_and_is_the_functions() -> None:
    sample = sales.make(5_000)
    totals = Totals()
    for row in csv.DictReader(sample.body.decode().splitlines()):
        totals.add(row)
    assert json.loads(json.dumps(report(totals))) == sample.expected
