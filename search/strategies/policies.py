"""Policies: distributions over the points of a space that choose one decision after the other.

Values that the space does not allow after the choices so far have probability zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from search.space import UNROLL, Space

Params = Any
Carry = Any


class Policy(NamedTuple):
    """`init(key) -> params`; `start(params) -> carry`; `step(params, carry, decision, previous value)`.

    A step returns (carry, logits [K], value): unmasked logits of the decision, and what reward is
    expected from here (zero where the policy does not estimate it). The value before the first is 0.
    """

    init: Callable[[jax.Array], Params]
    start: Callable[[Params], Carry]
    step: Callable[[Params, Carry, jax.Array, jax.Array], tuple[Carry, jax.Array, jax.Array]]


class Scores(NamedTuple):
    """Of each decision [L]: the log-probability of the choice, the entropy, the expected reward."""

    log_prob: jax.Array
    entropy: jax.Array
    value: jax.Array


def logits(space: Space) -> Policy:
    """Independent decisions, each with logits of its own [L, K], at first uniform."""

    def step(params, carry, decision, previous):
        return carry, params[decision], jnp.float32(0)

    return Policy(lambda key: jnp.zeros((space.length, space.values)), lambda params: (), step)


def lstm(space: Space, hidden: int = 32, scale: float = 0.1) -> Policy:
    """An LSTM that reads an embedding of the previous choice before each decision (arXiv 1611.01578).

    Each decision has its own embeddings, output weights and biases; weights are at first uniform in
    +-`scale`. A linear layer on the state estimates the reward.
    """

    def init(key):
        keys = jax.random.split(key, 4)
        shapes = {
            "embedding": (space.length, space.values, hidden),
            "gates": (2 * hidden, 4 * hidden),
            "head": (space.length, hidden, space.values),
            "critic": (hidden,),
        }
        drawn = {
            name: jax.random.uniform(k, shape, minval=-scale, maxval=scale)
            for k, (name, shape) in zip(keys, shapes.items())
        }
        return drawn | {"bias": jnp.zeros((space.length, space.values)), "gate_bias": jnp.zeros(4 * hidden)}

    def start(params):
        return jnp.zeros(hidden), jnp.zeros(hidden)

    def step(params, carry, decision, previous):
        cell, state = carry
        read = jnp.concatenate([params["embedding"][decision, previous], state])
        gates = read @ params["gates"] + params["gate_bias"]
        enter, forget, leave, new = jnp.split(gates, 4)
        cell = jax.nn.sigmoid(forget + 1) * cell + jax.nn.sigmoid(enter) * jnp.tanh(new)
        state = jax.nn.sigmoid(leave) * jnp.tanh(cell)
        scores = state @ params["head"][decision] + params["bias"][decision]
        return (cell, state), scores, state @ params["critic"]

    return Policy(init, start, step)


def sample(policy: Policy, space: Space, params: Params, key: jax.Array) -> jax.Array:
    """Draw a point from the policy."""

    def step(carry, at):
        (inner, state, previous), (decision, noise) = carry, at
        inner, scores, _ = policy.step(params, inner, decision, previous)
        allowed = space.allowed(decision, state)
        value = jnp.argmax(jnp.where(allowed, scores + noise, -jnp.inf)).astype(jnp.int32)
        return (inner, space.advance(decision, state, value), value), value

    noise = jax.random.gumbel(key, (space.length, space.values))
    carry = (policy.start(params), space.start, jnp.int32(0))
    return jax.lax.scan(step, carry, (jnp.arange(space.length), noise), unroll=UNROLL)[1]


def score(policy: Policy, space: Space, params: Params, point: jax.Array) -> Scores:
    """Log-probability, entropy and expected reward of each decision of a valid point."""

    def step(carry, at):
        (inner, state, previous), (decision, value) = carry, at
        inner, scores, expected = policy.step(params, inner, decision, previous)
        log_probs, entropy = _masked(scores, space.allowed(decision, state))
        after = (inner, space.advance(decision, state, value), value)
        return after, Scores(log_probs[value], entropy, expected)

    carry = (policy.start(params), space.start, jnp.int32(0))
    return jax.lax.scan(step, carry, (jnp.arange(space.length), point), unroll=UNROLL)[1]


def _masked(scores: jax.Array, allowed: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Log-probabilities [K] over the allowed values, -inf elsewhere, and their entropy."""
    masked = jnp.where(allowed, scores, -jnp.inf)
    log_probs = masked - jax.scipy.special.logsumexp(masked)
    probs = jnp.exp(log_probs)
    return log_probs, -jnp.sum(jnp.where(allowed, probs * jnp.where(allowed, log_probs, 0), 0))
