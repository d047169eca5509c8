"""What a strategy with a model chooses from: random points, and neighbours of the best points told."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from search.core.neighbourhood import neighbours
from search.core.space import Space
from search.strategies.memory import Memory, fresh_first, savage_scores


@dataclass(frozen=True)
class Pool:
    """Which points a model judges, and what it remembers.

    `samples` random points and `mutants` neighbours of the best `incumbents` among the last `memory` points
    told. The first `start` points are random.
    """

    samples: int = 16
    mutants: int = 48
    incumbents: int = 5
    start: int = 10
    memory: int = 256

    def __post_init__(self):
        if min(self.samples, self.mutants, self.incumbents) < 1 or self.incumbents > self.memory:
            raise ValueError(
                f"samples={self.samples}, mutants={self.mutants}, incumbents={self.incumbents}, "
                f"memory={self.memory}: the first three must be at least 1, and the memory hold the incumbents."
            )

    def check_batch(self, batch: int) -> None:
        """ValueError for a batch that the random points cannot fill, or the memory cannot hold."""
        if not 1 <= batch <= min(self.samples, self.memory):
            raise ValueError(
                f"batch={batch} must be between 1 and the smaller of samples={self.samples} and "
                f"memory={self.memory}: raise these, or ask for fewer at a time."
            )


def held(memory: Memory) -> jax.Array:
    """Which places of a memory hold a point, bool [H]."""
    return jnp.arange(len(memory.rewards)) < memory.told


def propose(space: Space, pool: Pool, memory: Memory, key: jax.Array) -> jax.Array:
    """Return candidates [C, L]: random points first, then neighbours of the incumbents, all different.

    Where there are too few neighbours, random points stand a second time.
    """
    picked, drawn = jax.random.split(key)
    random = jax.vmap(space.sample)(jax.random.split(drawn, pool.samples))
    known = held(memory)
    best = jax.lax.top_k(jnp.where(known, memory.rewards, -jnp.inf), pool.incumbents)[1]
    parents = jnp.where(known[best][:, None], memory.points[best], random[0])
    near, possible = jax.vmap(lambda point: neighbours(space, point))(parents)
    chance = jnp.where(possible.ravel(), jax.random.uniform(picked, (possible.size,)), -1.0)
    chance, rows = jax.lax.top_k(chance, min(pool.mutants, possible.size))
    spare = random[jnp.arange(len(rows)) % pool.samples]
    mutants = jnp.where(chance[:, None] >= 0, near.reshape(-1, space.length)[rows], spare)
    return jnp.concatenate([random, mutants])


def choose(pool: Pool, memory: Memory, candidates: jax.Array, values: jax.Array, batch: int) -> jax.Array:
    """The `batch` candidates of highest value that are new, the random ones as long as little is known.

    A point that memory holds is asked for again only where too few candidates are new.
    """
    judged = jnp.where(memory.told >= pool.start, values, 0.0)
    return fresh_first(memory, candidates[jnp.argsort(-judged, stable=True)], batch)


def held_scores(memory: Memory) -> jax.Array:
    """Savage scores [H] of all rewards held, 0 in places that hold none."""
    return jnp.where(held(memory), savage_scores(memory, memory.rewards), 0.0)
