"""A Gaussian process over decisions (Bayesian optimisation): ask for the candidate that promises most.

Its kernel falls with the Hamming distance, so it needs no encoding of points and holds for every space.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm

from search.core.space import Space
from search.core.strategy import Strategy
from search.strategies import memory as memories
from search.strategies.candidates import Pool, choose, held, held_scores, propose
from search.strategies.memory import Memory

PARTS = 4  # of the memory: how finely the work grows with what it holds
JITTER = 1e-4  # on the diagonal of the candidates' covariance, for its Cholesky factor in float32


class Process(NamedTuple):
    """What was told, and the inverse [H, H] of the lower Cholesky factor of its covariance.

    A place of memory that holds nothing has the row of the unit matrix.
    """

    key: jax.Array
    memory: Memory
    whitening: jax.Array


class Posterior(NamedTuple):
    """The scores of C candidates given those told: means and deviations [C], covariance, the best told."""

    mean: jax.Array
    deviation: jax.Array
    covariance: jax.Array
    best: jax.Array


Acquisition = Callable[[Posterior, float, jax.Array], jax.Array]  # (posterior, kappa, key) -> values [C]


def upper_bound(posterior: Posterior, kappa: float, key: jax.Array) -> jax.Array:
    """The upper confidence bound (arXiv 0912.3995), `kappa` deviations above the mean."""
    return posterior.mean + kappa * posterior.deviation


def expected_improvement(posterior: Posterior, kappa: float, key: jax.Array) -> jax.Array:
    """How much of a score above the best one told is to be expected."""
    above = (posterior.mean - posterior.best) / posterior.deviation
    return posterior.deviation * (above * norm.cdf(above) + norm.pdf(above))


def thompson(posterior: Posterior, kappa: float, key: jax.Array) -> jax.Array:
    """One draw of all candidates' scores together."""
    noise = jax.random.normal(key, posterior.mean.shape)
    jitter = JITTER * jnp.eye(len(noise))
    return posterior.mean + jnp.linalg.cholesky(posterior.covariance + jitter) @ noise


ACQUISITIONS: dict[str, Acquisition] = {
    "ucb": upper_bound,
    "ei": expected_improvement,
    "thompson": thompson,
}


def gp(
    space: Space,
    acquisition: str = "ucb",
    kappa: float = 1.0,
    length_scale: float = 0.5,
    noise: float = 0.1,
    batch: int = 1,
    **pool: Any,
) -> Strategy:
    """Model the Savage scores of rewards; `pool` are the settings of `candidates.Pool`.

    Covariance of two points is exp(-(decisions in which they differ) / (length_scale * L)), and `noise` more
    of a point with itself. ValueError for an unknown acquisition or numbers that are not positive.
    """
    if acquisition not in ACQUISITIONS or min(length_scale, noise) <= 0:
        raise ValueError(
            f"acquisition={acquisition!r}, length_scale={length_scale}, noise={noise}: the first must be one "
            f"of {tuple(ACQUISITIONS)}, the others positive."
        )
    settings = Pool(**pool)
    settings.check_batch(batch)
    size = settings.memory

    def covariance(some, others):
        differ = (some[:, None] != others).sum(-1)
        return jnp.exp(-differ / (length_scale * space.length))

    def init(key):
        return Process(key, memories.empty(size, space.length), jnp.eye(size))

    def posterior(state, candidates):
        known, scores = held(state.memory), held_scores(state.memory)
        cross = covariance(state.memory.points, candidates) * known[:, None]
        white = whitened(state, cross)
        mean = white.T @ (state.whitening @ scores)
        left = covariance(candidates, candidates) - white.T @ white  # not computed where nobody asks for it
        deviation = jnp.sqrt(jnp.maximum(1 - jnp.square(white).sum(0), JITTER))
        return Posterior(mean, deviation, left, jnp.where(known, scores, -jnp.inf).max())

    def whitened(state, cross):
        """The whitened columns; of a memory that is not full, only as much is multiplied as it holds."""

        def first(rows):
            part = state.whitening[:rows, :rows] @ cross[:rows]
            return jnp.pad(part, ((0, size - rows), (0, 0)))

        sizes = [-(-size * part // PARTS) for part in range(1, PARTS + 1)]
        place = jnp.searchsorted(jnp.asarray(sizes), jnp.minimum(state.memory.told, size))
        return jax.lax.switch(place, [functools.partial(first, rows) for rows in sizes])

    def ask(state):
        key, proposed, drawn = jax.random.split(state.key, 3)
        candidates = propose(space, settings, state.memory, proposed)
        values = ACQUISITIONS[acquisition](posterior(state, candidates), kappa, drawn)
        return choose(settings, state.memory, candidates, values, batch), state._replace(key=key)

    def appended(whitening, memory):
        """Add the last batch, row by row: n^2 steps where all anew takes n^3."""

        def add(whitening, place):
            before = jnp.arange(size) < place
            cross = covariance(memory.points, memory.points[place][None])[:, 0] * before
            row = whitening @ cross
            scale = jnp.sqrt(jnp.maximum(1 + noise - row @ row, noise))
            fresh = (jnp.zeros(size).at[place].set(1.0) - row @ whitening) / scale
            return whitening.at[place].set(fresh), None

        return jax.lax.scan(add, whitening, memory.told - batch + jnp.arange(batch))[0]

    def anew(whitening, memory):
        every = covariance(memory.points, memory.points) + noise * jnp.eye(size)
        factor = jnp.linalg.cholesky(every)
        return jax.scipy.linalg.solve_triangular(factor, jnp.eye(size), lower=True)

    def tell(state, points, rewards):
        memory = memories.remember(state.memory, points, rewards)
        # The count is the same for all seeds of a vmap, so this stays a branch and only one side is run.
        whitening = jax.lax.cond(memory.told <= size, appended, anew, state.whitening, memory)
        return Process(state.key, memory, whitening)

    return Strategy(init, ask, tell)
