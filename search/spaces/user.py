"""A space and its table from a CSV file of one's own: one column a decision, one line a point."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from scaling.border.typed import nearest
from search.core import automaton
from search.core.space import Space
from search.core.table import Row, Table, from_rows, need_columns, read_rows

Labels = dict[str, dict[str, int]]  # by decision: {text in the file: value}


def load(
    path: Path,
    decisions: Sequence[str],
    metrics: Sequence[str],
    values: Mapping[str, Sequence[str]] | None = None,
    partial: bool = False,
) -> Table:
    """Read columns `decisions` as choices and `metrics` as numbers, from a CSV file, gzipped or not.

    A decision takes the values that stand in its column, numbers in their order, then text; `values`
    lists them for some decisions instead. All combinations must be there; with `partial` the space is the
    lines of the file and nothing else. A point is written "kernel=3,depth=2". ValueError, naming line
    and fix, where a column is missing, a point stands twice or is missing, a value is not one of `values`,
    or a metric is not a finite number.
    """
    path = Path(path)
    rows = read_rows(path)
    if not decisions or not metrics:
        raise ValueError(f"{path}: name at least one decision and one metric among {', '.join(rows[0])}.")
    if len(set(decisions)) < len(decisions):
        raise ValueError(f"{path}: {list(decisions)} names a decision twice: name each column once.")
    need_columns(path, rows, [*decisions, *metrics, *(values or {})])
    labels = {name: _numbered((values or {}).get(name) or _sorted(rows, name)) for name in decisions}

    def read(row: Row) -> list[int]:
        return [_value(labels, name, row[name]) for name in decisions]

    moves = automaton.product([len(known) for known in labels.values()])
    if partial:
        moves = automaton.from_points(_read_all(path, rows, read))
    name = path.name.split(".")[0]
    space = Space(name, moves, lambda point: _write(labels, point), lambda text: _parse(labels, text))
    return from_rows(path, space, rows, read, metrics)


def _sorted(rows: Sequence[Row], name: str) -> list[str]:
    """The texts of a column: numbers in their order, then the rest, also "nan", which no order has."""

    def key(text: str) -> tuple[bool, float, str]:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        return (True, 0.0, text) if math.isnan(number) else (False, number, text)

    return sorted({row[name] for row in rows}, key=key)


def _numbered(texts: Sequence[str]) -> dict[str, int]:
    return {str(text): i for i, text in enumerate(texts)}


def _value(labels: Labels, name: str, text: str) -> int:
    known = labels[name]
    if text not in known:
        raise ValueError(
            f"{name}={text!r} is not a value of the space{nearest(text, known)}: it must be one of {list(known)}."
        )
    return known[text]


def _read_all(path: Path, rows: Sequence[Row], read) -> list[list[int]]:
    try:
        return [read(row) for row in rows]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _write(labels: Labels, point: Sequence[int]) -> str:
    return ",".join(f"{name}={list(known)[value]}" for (name, known), value in zip(labels.items(), point))


def _parse(labels: Labels, text: str) -> list[int]:
    parts = [part.partition("=") for part in text.split(",")]
    if [name for name, _, _ in parts] != list(labels):
        raise ValueError(f"{text!r} must give {list(labels)} in this order, as in name=value,name=value.")
    return [_value(labels, name, value) for name, _, value in parts]
