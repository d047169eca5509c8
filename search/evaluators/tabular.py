"""Look points up in a table of measured values: an evaluator that can be jitted."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from search.space import Space
from search.table import Table


@functools.partial(jax.tree_util.register_dataclass, data_fields=["signals"], meta_fields=["space"])
@dataclasses.dataclass(frozen=True)
class Tabular:
    """The metrics that a search may see, by rank: `evaluator(points) -> {name: [n]}`.

    What it does not hold, such as the test accuracy, cannot reach a strategy.
    """

    space: Space
    signals: Mapping[str, jax.Array]

    def __call__(self, points: jax.Array) -> dict[str, jax.Array]:
        """The values of valid points [n, L]."""
        ranks = jax.vmap(self.space.rank)(points)
        return {name: signal[ranks] for name, signal in self.signals.items()}


def tabular(table: Table, shown: Mapping[str, str]) -> Tabular:
    """Return the evaluator that shows these columns, {metric: column}, and holds no other.

    Tables of one space that show metrics of the same names share a compiled search.
    """
    signals = {metric: jnp.asarray(table.column(name), jnp.float32) for metric, name in shown.items()}
    return Tabular(table.space, signals)
