"""A graph in columns: who stands above whom, and how high, so that lines cross little and bend little."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Vertex = Any  # whatever a graph's vertices are, hashable

SWEEPS = 12  # forth and back; cells have settled after a few


class Layers:
    """Places vertices in columns; a line over several columns passes a free place in each of them.

    `columns` says in which column a vertex stands, `lines` are pairs of vertices from a lower to a higher
    column, `heights` how much room each takes. After that `y` holds the middle of every vertex, and
    `path(line)` where a line runs.
    """

    def __init__(
        self,
        columns: Mapping[Vertex, int],
        lines: Sequence[tuple[Vertex, Vertex]],
        heights: Mapping[Vertex, float],
        passing: float = 16,
    ):
        self._heights = dict(heights)
        self._column = dict(columns)
        self._paths = {line: self._pass_columns(line, passing) for line in lines}
        self._left: dict[Vertex, list[Vertex]] = {vertex: [] for vertex in self._column}
        self._right: dict[Vertex, list[Vertex]] = {vertex: [] for vertex in self._column}
        for path in self._paths.values():
            for one, other in itertools.pairwise(path):
                self._right[one].append(other)
                self._left[other].append(one)
        self._order = [
            [v for v, column in self._column.items() if column == i]
            for i in range(1 + max(self._column.values()))
        ]
        self.y = self._settle()

    def path(self, line: tuple[Vertex, Vertex]) -> list[tuple[int, float]]:
        """The (column, y) of a line's ends and of the places that it passes."""
        return [(self._column[vertex], self.y[vertex]) for vertex in self._paths[line]]

    def _pass_columns(self, line: tuple[Vertex, Vertex], passing: float) -> list[Vertex]:
        start, end = line
        places = [(line, column) for column in range(self._column[start] + 1, self._column[end])]
        self._column |= {place: place[1] for place in places}
        self._heights |= {place: passing for place in places}
        return [start, *places, end]

    def _settle(self) -> dict[Vertex, float]:
        """Order each column by the heights of its neighbours and place it next to them, forth and back."""
        y = {vertex: 0.0 for vertex in self._column}
        for column in self._order:
            self._place(column, y, {vertex: float(i) for i, vertex in enumerate(column)})
        for sweep in range(SWEEPS):
            forth = sweep % 2 == 0
            near = self._left if forth else self._right
            for column in self._order if forth else self._order[::-1]:
                wanted = {v: float(np.mean([y[n] for n in near[v]])) if near[v] else y[v] for v in column}
                if sweep < SWEEPS - 2:
                    column.sort(key=wanted.__getitem__)
                self._place(column, y, wanted)
        least = min(y[vertex] - self._heights[vertex] / 2 for vertex in y)
        return {vertex: at - least for vertex, at in y.items()}

    def _place(self, column: Sequence[Vertex], y: dict[Vertex, float], wanted: Mapping[Vertex, float]):
        """Put a column's vertices as near to where they are wanted as their order and room allow."""
        heights = np.array([self._heights[vertex] for vertex in column])
        tops = np.cumsum(heights) - heights / 2
        placed = tops + isotonic(np.array([wanted[vertex] for vertex in column]) - tops)
        y |= dict(zip(column, placed.tolist()))


def isotonic(values: np.ndarray) -> np.ndarray:
    """The sequence that never falls and is nearest to values [n] in least squares."""
    pools: list[tuple[float, int]] = []
    for value in values.tolist():
        mean, count = value, 1
        while pools and pools[-1][0] > mean:
            before, members = pools.pop()
            mean = (mean * count + before * members) / (count + members)
            count += members
        pools.append((mean, count))
    return np.repeat([mean for mean, _ in pools], [count for _, count in pools])
