"""`Pulumi.dev.yaml` as the local stack deploys it: the same settings but for what a computer without AWS needs."""

from __future__ import annotations

import platform
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import yaml

from local import base_images
from local.paths import REPOSITORY
from overtime.contract.families import NODEJS, PYTHON
from overtime.contract.runtimes import RUNTIMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.base_images import BaseImage
    from overtime.contract.families import Family

NAMESPACE = "overtime:"
TIMEOUT_SECONDS = 2
SAMPLES: Mapping[Family, Mapping[str, object]] = {
    PYTHON: {},
    NODEJS: {"functions.report.code": "lambdas/primary_node", "functions.report.handler": "index.handler"},
}
"""The sample function in another language than that of `Pulumi.dev.yaml`."""
RUNTIMES_OF_SAMPLES = tuple(name for name in base_images.RECIPES if RUNTIMES[name].family in SAMPLES)
ARM = frozenset({"aarch64", "arm64"})
"""As Linux and macOS name it."""


def dev_settings() -> dict[str, Any]:
    """Read the settings of `Pulumi.dev.yaml`."""
    config = yaml.safe_load((REPOSITORY / "Pulumi.dev.yaml").read_text(encoding="utf-8"))["config"]
    return {key.removeprefix(NAMESPACE): value for key, value in config.items() if key.startswith(NAMESPACE)}


def changes(base: BaseImage, python: BaseImage, machine: str = platform.machine()) -> dict[str, object]:
    """Say what differs here, by the path of each setting; `python` is the image with the runner's Python."""
    # Emulating another architecture is slow, and not every engine can.
    own: dict[str, object] = {"functions.report.architecture": "arm64"} if machine in ARM else {}
    return {
        **own,
        **SAMPLES[RUNTIMES[base.runtime].family],
        "functions.report.runtime": base.runtime,
        "functions.report.timeout_seconds": TIMEOUT_SECONDS,
        "functions.report.task.cpu": 256,
        "functions.report.task.memory_mib": 512,
        "image.base_images": {base.runtime: base.reference},
        "image.python_image": python.reference,
        "retention.force_destroy": True,
    }


def changed(settings: Mapping[str, Any], different: Mapping[str, object]) -> dict[str, Any]:
    """Give a copy with these values in place of its own."""
    copy = deepcopy(dict(settings))
    for path, value in different.items():
        *way, last = path.split(".")
        _at(copy, way)[last] = value
    return copy


def _at(section: dict[str, Any], way: Sequence[str]) -> dict[str, Any]:
    for key in way:
        section = section.setdefault(key, {})
    return section
