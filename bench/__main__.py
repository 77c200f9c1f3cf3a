"""Every bench in turn, one table each. Ends with 1 where one of them misses its target."""

from __future__ import annotations

import importlib
import sys

BENCHES = ("bench.runner.__main__", "bench.starts.__main__", "bench.image_size", "bench.preview")


def main() -> int:
    """Run them all, also after one that misses its target."""
    statuses: list[int] = [importlib.import_module(name).main() for name in BENCHES]
    return max(statuses)


if __name__ == "__main__":
    sys.exit(main())
