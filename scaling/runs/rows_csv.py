"""Rows as `rows.csv`: a line a run, a column a field, nested ones with dotted titles.

A text is written as it is, everything else as JSON, None as an empty cell, and "-" where a row lacks a field.
A text with a carriage return is JSON too: `csv` would leave it bare, and a reader end the line there.
"""

from __future__ import annotations

import csv
import functools
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scaling.border.files import parse_json
from scaling.border.typed import flatten
from scaling.runs.recorded import SECTIONS, by_object, encode
from scaling.runs.rows import RENAMED, Row

# Longer texts than this, such as a serialised architecture, are one cell like any other.
csv.field_size_limit(1 << 27)

# Columns are called as a row's fields are, those that were renamed by their first names: published files stay
TITLES = {name: title for title, name in RENAMED.items()}
LACKING = "-"


def to_csv(rows: Sequence[Row]) -> str:
    """All fields of all rows; `from_csv` reads the same rows back."""
    plain = [row.to_dict() for row in rows]
    section = {name: by_object(functools.partial(_cells, f"spec.{name}")) for name in SECTIONS}
    lines = [_line(values, section) for values in plain]
    columns = list(dict.fromkeys(title for line in lines for title in line))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([line.get(title, LACKING) for title in columns] for line in lines)
    return text.getvalue()


def from_csv(text: str, name: str = "rows.csv") -> tuple[list[Row], list[str]]:
    """The rows of `to_csv`, and one line for each that is none, which calls the file by `name`."""
    reader = csv.reader(io.StringIO(text, newline=""))
    paths = [title.split(".") for title in next(reader, [])]
    rows, problems = [], []
    for line, cells in enumerate(reader, start=2):
        try:
            rows.append(Row.from_dict(_nested(paths, cells)))
        except (ValueError, TypeError, RecursionError) as error:
            problems.append(f"line {line} of {name} is not a row: {error}")
    return rows, problems


def read_csv(path: Path) -> tuple[list[Row], list[str]]:
    """The rows of a file, and one line for each that is none, or for the file where it cannot be read."""
    try:
        return from_csv(path.read_text(), str(path))
    except (ValueError, OSError, csv.Error) as error:
        return [], [f"{path} cannot be read: {error}"]


def _line(
    values: Mapping[str, Any], section: Mapping[str, Callable[[Any], dict[str, str]]]
) -> dict[str, str]:
    """A row's cells by title; a section that several rows share is written once."""
    found: dict[str, str] = {}
    for name, value in values.items():
        if name == "metrics":
            found |= {title: _cell(inner) for title, inner in value.items()}
        elif name != "spec":
            found |= _cells(TITLES.get(name, name), value)
        else:
            for part, inner in sorted(value.items()):
                found |= section[part](inner) if part in section else _cells(f"spec.{part}", inner)
    return found


def _cells(title: str, value: Any) -> dict[str, str]:
    return {key: _cell(inner) for key, inner in sorted(flatten({title: value}).items())}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and "\r" not in value and not _is_json(value) and value not in ("", LACKING):
        return value
    return encode(value)


def _nested(paths: Sequence[Sequence[str]], cells: Sequence[str]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for (*outer, last), cell in zip(paths, cells):
        if cell == LACKING:
            continue
        at = nested
        for name in outer:
            at = at.setdefault(name, {})
            if not isinstance(at, dict):
                raise ValueError(f"the column {'.'.join((*outer, last))!r} lies below one that has a value")  # noqa: TRY004
        at[last] = _value(cell)
    return nested


@functools.lru_cache(maxsize=1 << 14)
def _value(cell: str) -> Any:
    if cell == "":
        return None
    try:
        return parse_json(cell)
    except ValueError:
        return cell


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
