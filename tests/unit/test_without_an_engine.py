"""What a command-line tool needs is imported without Pulumi, whose packages take seconds and hundreds of megabytes."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import overtime.contract
import overtime.ledger
import overtime.settings

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (overtime.contract, overtime.ledger, overtime.settings)
MODULES = [
    "overtime.errors",
    "overtime.notices",
    *(package.__name__ for package in PACKAGES),
    *(each.name for package in PACKAGES for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")),
]


def engine_packages(*modules: str) -> list[str]:
    """Name what a fresh interpreter has loaded of the engine after these imports."""
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    names = {name.partition(".")[0] for name in done.stdout.split()}
    return sorted(name for name in names if name.startswith("pulumi") or name == "grpc")


def test_imports_no_pulumi() -> None:
    assert engine_packages(*MODULES) == []


def test_what_reads_the_configuration_does() -> None:
    """The test sees Pulumi where it is."""
    assert "pulumi" in engine_packages("overtime.configuration")
