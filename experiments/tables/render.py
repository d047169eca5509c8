"""A table as Markdown and as CSV: one line an entry, paper | ours | difference | source."""

from __future__ import annotations

import csv
import io

from experiments.tables.entry import Entry, Table
from scaling.reports.markdown import table_line

COLUMNS = ("row", "figure", "paper", "ours", "difference", "why", "source")


def to_markdown(table: Table, name: str) -> str:
    """The table with a head line, its note, and how many of its exact figures agree.

    Commands of empty accuracies are left to the CSV, one is shown.
    """
    lines = [
        f"# {table.title}",
        "",
        f"Made by `python -m experiments.reproduce {name}`. {_summary(table)}",
        "",
    ]
    lines += [table.note, ""] if table.note else []
    lines += [table_line(COLUMNS), "|" + " --- |" * len(COLUMNS)]
    lines += [table_line(_cells(entry, short=True)) for entry in table.entries]
    if empty := _to_train(table):
        lines += [
            "",
            f"`train`: no committed row yet, e.g. `{empty[0].reason}` with the paper's recipe (all in CSV).",
        ]
    return "\n".join([*lines, ""])


def to_wide(table: Table) -> str:
    """Our figures alone, one line a row of the table and one column a figure."""
    columns = list(dict.fromkeys(entry.column for entry in table.entries))
    cells: dict[str, dict[str, str]] = {}
    for entry in table.entries:
        cells.setdefault(entry.row, {})[entry.column] = entry.shown
    lines = [table_line(("row", *columns)), "|" + " --- |" * (len(columns) + 1)]
    lines += [
        table_line((row, *(found.get(column, "") for column in columns))) for row, found in cells.items()
    ]
    return "\n".join(lines)


def to_csv(table: Table) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_cells(entry, short=False) for entry in table.entries)
    return text.getvalue()


def _summary(table: Table) -> str:
    exact = [entry for entry in table.entries if entry.exact and entry.paper and entry.ours is not None]
    if not exact:
        return "No exact figure to compare."
    agree = sum(entry.agrees for entry in exact)
    return f"{agree} of {len(exact)} exact figures equal the paper's to the digits printed."


def _to_train(table: Table) -> list[Entry]:
    return [entry for entry in table.entries if not entry.exact and entry.reason.startswith("python")]


def _cells(entry: Entry, short: bool) -> tuple[str, ...]:
    why = "train" if short and not entry.exact and entry.reason.startswith("python") else entry.reason
    return entry.row, entry.column, entry.paper, entry.shown, entry.difference, why, entry.source
