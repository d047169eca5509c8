"""Look points up in a table of measured values: evaluators that can be jitted."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from search.core.space import Space
from search.core.table import Table

COST = "cost"  # of an evaluation, in epochs or whatever the caller counts


@functools.partial(jax.tree_util.register_dataclass, data_fields=["signals", "costs"], meta_fields=["space"])
@dataclasses.dataclass(frozen=True)
class Tabular:
    """The metrics that a search may see, by rung and rank.

    `evaluator(points, rungs) -> {name: [n]}` gives the signals and "cost". `signals[name]` is [R, size],
    `costs` [R]; with one rung (R = 1) all points are measured alike. Both are float32: values nearer than a
    ten-millionth of their size are equal to a search. What the evaluator does not hold, such as the test
    accuracy, cannot reach a strategy.
    """

    space: Space
    signals: Mapping[str, jax.Array]
    costs: jax.Array

    def __call__(self, points: jax.Array, rungs: jax.Array | None = None) -> dict[str, jax.Array]:
        """The metrics of valid points [n, L] at rungs [n]; at the cheapest where none are given."""
        ranks = jax.vmap(self.space.rank)(points)
        rung = jnp.zeros_like(ranks) if rungs is None or len(self.costs) == 1 else rungs
        return {name: signal[rung, ranks] for name, signal in self.signals.items()} | {COST: self.costs[rung]}


def tabular(table: Table, shown: Mapping[str, str], cost: float = 1.0) -> Tabular:
    """Return the evaluator that shows these columns, {metric: column}, and holds no other.

    Tables of one space that show metrics of the same names share a compiled search.
    """
    return laddered(table, {metric: [column] for metric, column in shown.items()}, [cost])


def laddered(table: Table, shown: Mapping[str, Sequence[str]], costs: Sequence[float]) -> Tabular:
    """Return the evaluator that shows one column a rung, {metric: columns}, the cheapest first.

    ValueError where a metric does not have a column for every rung, or is called as the cost is.
    """
    for metric, columns in shown.items():
        if len(columns) != len(costs) or metric == COST:
            raise ValueError(
                f"metric {metric!r} has columns {list(columns)} for costs {list(costs)}: give one column a "
                f"cost, and no metric the name {COST!r}."
            )
    signals = {
        metric: jnp.stack([jnp.asarray(table.column(name), jnp.float32) for name in columns])
        for metric, columns in shown.items()
    }
    return Tabular(table.space, signals, jnp.asarray(costs, jnp.float32))
