"""The demo's input: a CSV of sales large enough to time out, and the report that must come of it."""

from __future__ import annotations

import csv
import io
import random
import time
from collections import Counter
from dataclasses import dataclass

from overtime.lambdas.primary.handler import Totals

STORES = ("Aachen", "Bergen", "Córdoba", "Debrecen", "Évora", "Fécamp", "Gdańsk", "Hämeenlinna")
DAYS = tuple(f"2026-{month:02}-{day:02}" for month in range(1, 4) for day in range(1, 29))
CALIBRATION_ROWS = 20_000


@dataclass(frozen=True, kw_only=True)
class Sales:
    """A CSV object and what the sample function must say of it."""

    rows: int
    body: bytes
    expected: dict[str, object]


def make(rows: int, *, seed: int = 7) -> Sales:
    """Make `rows` sales from `seed`; the expected report comes another way, in whole cents."""
    dice = random.Random(seed)  # noqa: S311 - sample data
    text = io.StringIO()
    text.write("store,day,amount\n")
    revenue: Counter[str] = Counter()
    days: Counter[tuple[str, str]] = Counter()
    for _ in range(rows):
        store, day, cents = dice.choice(STORES), dice.choice(DAYS), dice.randrange(1, 100_000)
        text.write(f"{store},{day},{cents // 100}.{cents % 100:02}\n")
        revenue[store] += cents
        days[store, day] += cents
    expected = {
        "rows": rows,
        "revenue": euros(revenue.total()),
        "stores": {
            store: {
                "revenue": euros(revenue[store]),
                "best_day": max((cents, day) for (of, day), cents in days.items() if of == store)[1],
            }
            for store in sorted(revenue)
        },
    }
    return Sales(rows=rows, body=text.getvalue().encode(), expected=expected)


def euros(cents: int) -> str:
    """Write cents as decimal text with two places."""
    return f"{cents // 100}.{cents % 100:02}"


def rows_that_take(seconds: float) -> int:
    """Say how many rows keep this computer busy for `seconds`, measured with the function on a sample."""
    sample = make(CALIBRATION_ROWS).body.decode()
    totals, started = Totals(), time.perf_counter()
    for row in csv.DictReader(sample.splitlines()):
        totals.add(row)
    rate = CALIBRATION_ROWS / (time.perf_counter() - started)
    return int(rate * seconds)
