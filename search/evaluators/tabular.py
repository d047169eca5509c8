"""Look points up in a table of measured values: an evaluator that can be jitted."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from search.space import Space
from search.table import Table


@functools.partial(jax.tree_util.register_dataclass, data_fields=["signals"], meta_fields=["space"])
@dataclasses.dataclass(frozen=True)
class Tabular:
    """The columns that a search may see, by rank: `evaluator(points) -> {name: [n]}`.

    A column that it does not hold, such as the test accuracy, cannot reach a strategy.
    """

    space: Space
    signals: Mapping[str, jax.Array]

    def __call__(self, points: jax.Array) -> dict[str, jax.Array]:
        """The values of valid points [n, L]."""
        ranks = jax.vmap(self.space.rank)(points)
        return {name: signal[ranks] for name, signal in self.signals.items()}


def tabular(table: Table, names: Sequence[str]) -> Tabular:
    """Return the evaluator that shows columns `names` of a table and holds no other."""
    return Tabular(table.space, {name: jnp.asarray(table.column(name), jnp.float32) for name in names})
