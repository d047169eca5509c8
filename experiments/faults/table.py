"""What became of each kind, as rows.jsonl and table.md; kinds that are tried again replace their rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from experiments.faults.kind import Outcome
from scaling.border.files import write_atomically
from scaling.reports.markdown import table_line

ROWS, TABLE = "rows.jsonl", "table.md"
HEAD = """# Faults

Made by `python -m experiments.faults`. Each fault is arranged for real in a directory of its own; "as it should" counts
those after which all that the last column says was found.
"""
Row = Mapping[str, Any]  # an outcome's fields, and `made`: how and where


def rows_of(outcomes: Iterable[Outcome], made: Mapping[str, Any]) -> list[Row]:
    """The rows of kinds that were tried together."""
    return [{**asdict(outcome), "made": dict(made)} for outcome in outcomes]


def render(rows: Sequence[Row]) -> str:
    """The Markdown of a study's rows."""
    lines = [
        "| kind | faults | as it should | seconds | what was checked |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += map(_line, rows)
    tried, passed, seconds = (sum(row[name] for row in rows) for name in ("trials", "passed", "seconds"))
    lines.append(f"| **all** | **{tried}** | **{passed}** | {seconds:.0f} | |")
    made = dict.fromkeys(", ".join(f"{key} {value}" for key, value in row["made"].items()) for row in rows)
    parts = [HEAD, "\n".join(lines), "\n".join(f"- {told}" for told in made)]
    if failures := [f"- `{name}`: {why}" for row in rows for name, why in row["failed"].items()]:
        parts.append("Not as they should:\n\n" + "\n".join(failures))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _line(row: Row) -> str:
    if row["note"]:
        return f"| {row['kind']} | 0 | | | not run: {row['note']} |"
    cells = (row["kind"], row["trials"], row["passed"], f"{row['seconds']:.0f}", row["checked"])
    return table_line(cells)


def write(out: Path, rows: Sequence[Row], order: Sequence[str]) -> None:
    """Store rows, one JSON line a kind, among those of other kinds, in an order; and the table of all."""
    path = out / ROWS
    lines = path.read_text().splitlines() if path.exists() else []
    kept = {row["kind"]: row for row in (*map(json.loads, lines), *rows)}
    known = [kept[kind] for kind in order if kind in kept]
    write_atomically(path, "".join(json.dumps(row) + "\n" for row in known))
    write_atomically(out / TABLE, render(known))
