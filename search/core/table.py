"""A space with a measured value of every point: named columns, in the order of the points' ranks."""

from __future__ import annotations

import csv
import gzip
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scaling.border.typed import nearest
from search.core.space import Space, read_digits

Point = tuple[int, ...]

ARCH = "arch"  # the column of published tables that names the point
SHOWN = 5  # examples that an error gives


class Row(dict[str, str]):
    """A line of a CSV file by its header; `line` is its number there, from 1."""

    def __init__(self, cells: Mapping[str, str], line: int):
        super().__init__(cells)
        self.line = line


@dataclass(frozen=True, eq=False)
class Table:
    """`columns[name][rank]` is the value of the point with that rank, float64."""

    space: Space
    columns: Mapping[str, np.ndarray] = field(repr=False)

    def column(self, name: str) -> np.ndarray:
        """The values [size] of a column; KeyError, with the nearest names, where there is none."""
        if name not in self.columns:
            raise KeyError(
                f"no column {name!r}{nearest(name, self.columns)} There are: {', '.join(self.columns)}."
            )
        return self.columns[name]

    def at(self, name: str, points: np.ndarray) -> np.ndarray:
        """The values [...] of a column at points [..., L]."""
        return self.column(name)[ranks(self.space, points)]


def ranks(space: Space, points: np.ndarray) -> np.ndarray:
    """The ranks [...] of points [..., L], on the host; ValueError where one is not in the space."""
    points = np.asarray(points)
    state, rank = np.zeros(points.shape[:-1], np.int32), np.zeros(points.shape[:-1], np.int64)
    for i, passed in enumerate(space.ranks_passed):
        known = np.clip(points[..., i], 0, space.values - 1)
        rank += passed[state, known]
        after = np.where(known == points[..., i], space.moves[i][state, known], -1)
        if (after < 0).any():
            space.checked(points[after < 0][0])
        state = after
    return rank


def read_rows(path: Path) -> list[Row]:
    """The lines of a CSV file with a header, gzipped or not; ValueError where it is no such file."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = [Row(cells, reader.line_num) for cells in reader]
            header = list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read as a CSV file: {error}") from error
    if not rows:
        raise ValueError(f"{path} has no rows: a table is a header line and one line a point.")
    if len(set(header)) < len(header):
        raise ValueError(f"{path} names a column twice in its header {header}: rename one of the two.")
    for row in rows:
        if None in row or None in row.values():
            raise ValueError(
                f"{path}, line {row.line}: not {len(header)} cells as in the header: complete the line."
            )
    return rows


def need_columns(path: Path, rows: Sequence[Row], names: Sequence[str]) -> None:
    """ValueError, naming the nearest, where a column is missing."""
    for name in names:
        if name not in rows[0]:
            raise ValueError(
                f"{path} has no column {name!r}{nearest(name, rows[0])} It has: {', '.join(rows[0])}."
            )


def from_rows(
    path: Path,
    space: Space,
    rows: Sequence[Row],
    read: Callable[[Row], Sequence[int]],
    names: Sequence[str],
) -> Table:
    """Build the table of `names` from the lines of `path`, whose points `read` reads.

    ValueError, naming the line, where a point is not in the space or stands twice, a value is not a finite
    number, or a point of the space is missing; nothing as large as the space is made before.
    """
    need_columns(path, rows, names)
    values: dict[str, list[float]] = {name: [] for name in names}
    line_of: dict[Point, int] = {}
    for row in rows:
        line = row.line
        try:
            point = space.checked(read(row))
        except ValueError as error:
            raise ValueError(f"{path}, line {line}: {error}") from error
        if (first := line_of.setdefault(tuple(point.tolist()), line)) != line:
            raise ValueError(
                f"{path}, line {line}: {space.to_string(point)!r} stands in line {first} already: "
                "a point has one line, so average repeated runs or give each a column."
            )
        for name in names:
            values[name].append(_number(path, line, name, row[name]))
    _complete(path, space, line_of)
    order = np.argsort(ranks(space, np.array(list(line_of))))
    return Table(space, {name: np.array(column)[order] for name, column in values.items()})


def benchmark_table(path: Path, space: Space, but: Sequence[str] = (ARCH,)) -> Table:
    """Read a published table, whose column `arch` holds the digits of a point; `but` are no values."""
    rows = read_rows(path)
    need_columns(path, rows, but)
    return _by_digits(path, space, rows, [name for name in rows[0] if name not in but])


def read_points(path: Path, space: Space, names: Sequence[str]) -> Table:
    """Read the columns `names` of a file whose column `arch` holds the digits of a point."""
    rows = read_rows(path)
    need_columns(path, rows, [ARCH])
    return _by_digits(path, space, rows, names)


def _by_digits(path: Path, space: Space, rows: Sequence[Row], names: Sequence[str]) -> Table:
    return from_rows(path, space, rows, lambda row: _padded(space, read_digits(row[ARCH])), names)


def _padded(space: Space, point: Sequence[int]) -> list[int]:
    """The vector with zeros at its end, where a shorter one stands for a network of fewer parts."""
    return [*point, *[0] * (space.length - len(point))]


def _number(path: Path, line: int, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise ValueError(
            f"{path}, line {line}: {name} is {text!r}, not a finite number: give the point a value, or leave "
            "its line out and read the file with partial=True (--partial)."
        )
    return value


def _complete(path: Path, space: Space, known: Collection[Point]) -> None:
    missing = space.size - len(known)
    if missing:
        first = itertools.islice((point for point in space.each() if point not in known), SHOWN)
        raise ValueError(
            f"{path} lacks {missing} of the {space.size} points of space {space.name!r} "
            f"({', '.join(map(space.to_string, first))}{', ...' if missing > SHOWN else ''}): add their lines, or, for "
            "a table of your own, read it with partial=True (--partial) to search among its lines only."
        )
