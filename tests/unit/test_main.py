"""What the program's entry point needs before anything else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_checkout_without_links_is_told_how_to_get_them(tmp_path: Path) -> None:
    """Git writes a link as a file with the link's text where links are not supported."""
    shutil.copy(ROOT / "__main__.py", tmp_path)
    (tmp_path / "overtime").mkdir()
    (tmp_path / "overtime" / "components").write_text("../components")
    done = subprocess.run([sys.executable, tmp_path / "__main__.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "core.symlinks=true" in done.stderr
    assert "Traceback" not in done.stderr
