"""Draws small changes to the product at random and tells which of them no test notices."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from bench.mutants.mutations import mutations
from bench.mutants.trial import Fate, Laboratory, drawn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.mutants.mutations import Mutation

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("lambdas/dispatcher", "lambdas/watcher", "runner", "overtime/ledger", "overtime/contract")


def main(arguments: Sequence[str] | None = None) -> int:
    """Try them, and print the survivors and a table."""
    options = _options(arguments)
    everything = [
        each
        for folder in options.folders
        for file in sorted((ROOT / folder).glob("*.py"))
        for each in mutations(file.relative_to(ROOT).as_posix(), file.read_bytes())
    ]
    chosen = drawn(everything, options.count, options.seed)[options.first :]
    print(f"{len(chosen)} of {len(everything)} mutants, seed {options.seed}", flush=True)
    if options.list:
        print("\n\n".join(each.diff((ROOT / each.path).read_bytes()) for each in chosen))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        laboratory = Laboratory(
            ROOT, options.folder or Path(folder), options.seconds, cells=options.cells, seed=options.seed
        )
        laboratory.prepare()
        fates = _tried(laboratory, chosen, options.first)
    print("\n" + "\n".join(f"{fate:<10} {fates[fate]:>4}" for fate in Fate))
    return 0


def _tried(laboratory: Laboratory, chosen: Sequence[Mutation], first: int) -> Counter[Fate]:
    fates: Counter[Fate] = Counter()
    for number, mutation in enumerate(chosen, first):
        trial = laboratory.try_out(mutation)
        fates[trial.fate] += 1
        print(
            f"{number:>3} {trial.fate:<9} {mutation.path}:{mutation.line}, {trial.tests} tests,"
            f" {trial.seconds:.0f} s {trial.killer}",
            flush=True,
        )
        if trial.fate is not Fate.KILLED:
            print(mutation.diff(laboratory.source(mutation.path)), flush=True)
    return fates


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.mutants", description=__doc__)
    parser.add_argument("folders", nargs="*", default=FOLDERS, help="where to change something")
    parser.add_argument("--count", type=int, default=150, help="how many mutants to draw")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--first", type=int, default=0, help="go on with this one of them")
    parser.add_argument(
        "--seconds", type=float, nargs="+", default=[10, 40], help="seconds of tests in the first stage, the second, …"
    )
    parser.add_argument("--cells", type=int, default=60, help="cells of the fault matrix for what survives the stages")
    parser.add_argument("--folder", type=Path, help="an empty folder to work in, or one with notes of an earlier run")
    parser.add_argument("--list", action="store_true", help="only show the mutants")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
