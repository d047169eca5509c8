"""An ensemble that predicts scores from decisions, and neighbours of the best points, as in BANANAS.

BANANAS (arXiv 1910.11858) trains deep networks; here each member is a layer of fixed random features whose
outer weights are a ridge regression: fitted exactly, at once, for hundreds of searches together.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from search.core.space import Space
from search.core.strategy import Strategy
from search.strategies import memory as memories
from search.strategies.candidates import Pool, choose, held_scores, propose
from search.strategies.memory import Memory


class Ensemble(NamedTuple):
    """What was told, the members' fixed inner weights [M, L, K, D], and what each weighs points by [M, H].

    Of the points told their features [M, H, D + 1], 0 in places that hold none, and the weighted sums of
    those features' products [M, D + 1, D + 1]: a step adds its own and takes off what it overwrites.
    """

    key: jax.Array
    memory: Memory
    inner: jax.Array
    shares: jax.Array
    inputs: jax.Array
    products: jax.Array


def predictor(
    space: Space,
    members: int = 5,
    features: int = 64,
    ridge: float = 1.0,
    kappa: float = 1.0,
    batch: int = 1,
    **pool: Any,
) -> Strategy:
    """Ask for the candidate with the highest of independent draws: members' mean, `kappa` deviations' noise.

    Scores are Savage's, of rewards' ranks; each member weighs points at random (the Bayesian bootstrap).
    `pool` are the settings of `candidates.Pool`. ValueError for settings that are not positive.
    """
    if members < 2 or features < 1 or ridge <= 0:
        raise ValueError(
            f"members={members}, features={features}, ridge={ridge}: an ensemble needs at least two members, "
            "a feature and a positive ridge."
        )
    settings = Pool(**pool)
    settings.check_batch(batch)

    def init(key):
        key, drawn, shared = jax.random.split(key, 3)
        shape = members, space.length, space.values, features
        inner = jax.random.normal(drawn, shape) * (2 / space.length) ** 0.5
        shares = jax.random.exponential(shared, (members, settings.memory))
        inputs = jnp.zeros((members, settings.memory, features + 1))
        products = jnp.zeros((members, features + 1, features + 1))
        memory = memories.empty(settings.memory, space.length)
        return Ensemble(key, memory, inner, shares, inputs, products)

    def hidden(inner, points):
        """The features [M, n, D] of points, and a constant one."""
        onehot = jax.nn.one_hot(points, space.values).reshape(len(points), -1)
        made = jax.nn.relu(onehot @ inner.reshape(members, -1, features))
        return jnp.concatenate([made, jnp.ones((members, len(points), 1))], -1) / features**0.5

    def fitted(state):
        """The outer weights [M, D + 1] of the weighted ridge regressions."""
        gram = state.products + ridge / features * jnp.eye(features + 1)
        target = jnp.einsum("mhd,mh->md", state.inputs, state.shares * held_scores(state.memory))
        factor = jnp.linalg.cholesky(gram), True
        return jax.scipy.linalg.cho_solve(factor, target[..., None])[..., 0]

    def ask(state):
        key, proposed, drawn = jax.random.split(state.key, 3)
        candidates = propose(space, settings, state.memory, proposed)
        predicted = jnp.einsum("mcd,md->mc", hidden(state.inner, candidates), fitted(state))
        noise = jax.random.normal(drawn, predicted.shape[1:])
        values = predicted.mean(0) + kappa * predicted.std(0, ddof=1) * noise
        return choose(settings, state.memory, candidates, values, batch), state._replace(key=key)

    def tell(state, points, rewards):
        places = (state.memory.told + jnp.arange(batch)) % settings.memory
        shares, before = state.shares[:, places], state.inputs[:, places]
        made = hidden(state.inner, points)
        product = lambda rows: jnp.einsum("mh,mhd,mhe->mde", shares, rows, rows)
        return state._replace(
            memory=memories.remember(state.memory, points, rewards),
            inputs=state.inputs.at[:, places].set(made),
            products=state.products + product(made) - product(before),
        )

    return Strategy(init, ask, tell)
