"""Benchmark tables on the host: as an evaluator, or as further metrics beside those of another evaluator."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from search.core.evaluation import Evaluation, Evaluator
from search.core.space import Space
from search.core.table import Table, read_points
from search.evaluators.tabular import COST, tabular


class Lookup:
    """Answers with columns of a table, {metric: column}, through the evaluator that can be jitted.

    So a search on the host sees the very numbers that `search.simulation.simulate` would show it.
    """

    stateful = False

    def __init__(self, table: Table, shown: Mapping[str, str], cost: float = 1.0):
        self._evaluate = tabular(table, shown, cost)
        self._fidelity = ", ".join(f"{metric}: {column} of the table" for metric, column in shown.items())

    def __call__(self, points: Sequence[np.ndarray], rungs: Sequence[int]) -> Iterator[Evaluation]:
        """Look up valid points [L], in order."""
        columns = self._evaluate(jnp.asarray(np.stack(points)), jnp.asarray(rungs, jnp.int32))
        found = {name: np.asarray(values) for name, values in columns.items()}
        for i in range(len(points)):
            metrics = {name: float(values[i]) for name, values in found.items()}
            yield Evaluation(metrics, fidelity=self._fidelity, cost=metrics.pop(COST))

    def save(self, seen: int) -> None:
        """Keep nothing: a table does not change."""

    def restore(self, seen: int) -> None:
        """Bring back nothing."""


class WithColumns:
    """Another evaluator, whose metrics are completed by columns of tables, {metric: "FILE:COLUMN"}."""

    def __init__(self, space: Space, inner: Evaluator, columns: Mapping[str, str]):
        self.stateful, self._inner = inner.stateful, inner
        self._columns = {metric: (*_read(space, metric, where),) for metric, where in columns.items()}

    def __call__(self, points: Sequence[np.ndarray], rungs: Sequence[int]) -> Iterator[Evaluation]:
        """Evaluate valid points [L], in order."""
        for point, evaluation in zip(points, self._inner(points, rungs)):
            further = {m: float(table.at(column, point)) for m, (table, column) in self._columns.items()}
            yield dataclasses.replace(evaluation, metrics={**evaluation.metrics, **further})

    def save(self, seen: int) -> None:
        """Keep the state of the inner evaluator."""
        self._inner.save(seen)

    def restore(self, seen: int) -> None:
        """Bring back the state of the inner evaluator."""
        self._inner.restore(seen)


def _read(space: Space, metric: str, where: str) -> tuple[Table, str]:
    file, colon, column = where.rpartition(":")
    if not colon:
        raise ValueError(
            f"config.evaluator.columns.{metric}={where!r} must name a file and a column, as 'FILE.csv.gz:COLUMN'."
        )
    return read_points(Path(file), space, [column]), column
