"""`python -m local.checks`: say what would stop the set-up; status 1 where something would."""

from __future__ import annotations

import os
import sys

from local.checks.gather import gather
from local.checks.problems import problems
from local.checks.report import report


def main() -> int:
    """Check, and write the report where there is something to report."""
    found = problems(gather(os.environ, packages_only=False))
    if found:
        sys.stderr.write(f"overtime: {report(found)}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
