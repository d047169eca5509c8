"""Which accuracies of the published tables are trained, by whom, and what the others would cost here."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.tables.entry import Entry, Table
from experiments.tables.recipes import Recipe
from scaling.border.typed import nearest

HOUR = 3600.0
NAMED = 3  # ids of a row's runs that a line spells out


def lines(table: Table) -> Iterator[str]:
    """One line for each accuracy that is trained, and for each row that a config would train."""
    open_rows = set()
    for entry in _accuracies(table):
        if entry.runs:
            ids = " ".join(entry.runs[:NAMED]) + (" ..." if len(entry.runs) > NAMED else "")
            yield f"{entry.row}, {entry.column}: {entry.shown} (paper {entry.paper}), runs {ids}"
        elif entry.recipe and entry.row not in open_rows:
            open_rows.add(entry.row)
            yield f"{entry.row}: open, {_hours(entry.recipe)} here, {' '.join(entry.recipe.flags)}"


def _hours(recipe: Recipe) -> str:
    hours = recipe.seconds / HOUR
    return f"{hours:,.0f} hours" if hours >= 10 else f"{hours:.2g} hours"


def summary(table: Table) -> str:
    """How many accuracies of a table are trained, and how many of the others have no config."""
    entries = _accuracies(table)
    if not entries:
        return ""
    done = sum(bool(entry.runs) for entry in entries)
    without = sum(not entry.runs and not entry.recipe for entry in entries)
    return f"{done} of {len(entries)} accuracies trained" + (
        f", {without} without a config" if without else ""
    )


def recipe_of(table: Table, name: str, row: str) -> Recipe:
    """The config of a row; ValueError, naming the rows that have one, where there is none."""
    known = {entry.row: entry.recipe for entry in _accuracies(table) if entry.recipe}
    if found := known.get(row):
        return found
    if any(entry.row == row and entry.runs for entry in table.entries):
        raise ValueError(f"--train={row!r} of {name} is trained already: `reproduce {name}` shows its runs.")
    rows = f"rows with one are {', '.join(map(repr, known))}" if known else "no row of this table has one"
    raise ValueError(f"--train={row!r}: no config trains it{nearest(row, known) or ';'} {rows}.")


def _accuracies(table: Table) -> list[Entry]:
    return [entry for entry in table.entries if not entry.exact and entry.paper]
