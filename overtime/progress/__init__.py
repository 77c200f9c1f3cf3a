"""Progress of long work for people: one live display on a terminal, short lines elsewhere, everything in a log file.

Needs the standard library only, because the set-up of the local stack reports before any package is installed. Where
`rich` is installed (`pip install overtime[progress]`), the live display has a bar and a row for each piece of work.
"""

from overtime.progress.log import Log
from overtime.progress.reporter import Reporter, Running
from overtime.progress.screen import display_on
from overtime.progress.state import Item, Passing, Phase

__all__ = ["Item", "Log", "Passing", "Phase", "Reporter", "Running", "display_on"]
