"""A study: rows, and once what every table, figure and page says of them: series, groups, laws, settings."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scaling.laws.power import Law, NoLaw
from scaling.reports.curve import BY_LENGTH, Group, drawn, fit_law, group
from scaling.reports.labels import curve_names
from scaling.reports.settings import told_apart
from scaling.runs.rows import Row


@dataclass(frozen=True)
class Runs:
    """Rows, and which of them belong together."""

    rows: tuple[Row, ...] = ()

    @functools.cached_property
    def groups(self) -> list[Group]:
        """All runs, those that differ in their seed only together, by MACs."""
        return group(self.rows)

    @functools.cached_property
    def points(self) -> list[Group]:
        """The runs that can be drawn, together likewise."""
        return group(self.drawn)

    @functools.cached_property
    def drawn(self) -> list[Row]:
        """The runs that make points: finished, scored and counted."""
        return drawn(self.rows)


@dataclass(frozen=True)
class Series(Runs):
    """The runs of one curve."""

    name: str = ""


@dataclass(frozen=True)
class Study(Runs):
    """Rows in order of id, the directory of each run that has one, one line for each unreadable row."""

    directories: Mapping[str, Path] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @functools.cached_property
    def series(self) -> dict[str, Series]:
        """The curves of the study by name, runs of several lengths of training apart."""
        return _series(self.rows, by_length=True)

    def along(self, axis: str) -> dict[str, Series]:
        """The curves along an axis; along one that grows with the length of training, lengths share one."""
        return _series(self.rows, by_length=False) if axis in BY_LENGTH else self.series

    @functools.cached_property
    def laws(self) -> Callable[[str], dict[str, Law | NoLaw]]:
        """Of an axis the law of each series, or why it has none; each fitted once."""
        return functools.cache(
            lambda axis: {name: fit_law(found.points, axis) for name, found in self.series.items()}
        )


def _series(rows: Sequence[Row], by_length: bool) -> dict[str, Series]:
    found: dict[str, list[Row]] = {}
    for row, name in zip(rows, told_apart(curve_names(rows, by_length), rows)):
        found.setdefault(name, []).append(row)
    return {name: Series(tuple(found[name]), name) for name in sorted(found)}
