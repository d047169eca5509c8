"""Policies: distributions over the points of a space that choose one decision after the other.

Values that the space does not allow after the choices so far have probability zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from search.core.space import Space

Carry = Any


class Params(NamedTuple):
    """What all decisions share, and arrays [L, ...] of what each has for itself."""

    shared: Any
    own: Any


class Policy(NamedTuple):
    """`init(key) -> params`; `start(shared) -> carry`; `step(shared, own, carry, previous value)`.

    A step gets its decision's slice of `own` and returns (carry, logits [K], value): unmasked logits, and
    what score is expected from here (zero where the policy does not estimate it). The value before the
    first decision is 0.
    """

    init: Callable[[jax.Array], Params]
    start: Callable[[Any], Carry]
    step: Callable[[Any, Any, Carry, jax.Array], tuple[Carry, jax.Array, jax.Array]]


class Scores(NamedTuple):
    """Of each decision [L]: the log-probability of the choice, the entropy, the expected score."""

    log_prob: jax.Array
    entropy: jax.Array
    value: jax.Array


def logits(space: Space) -> Policy:
    """Independent decisions, each with logits of its own [L, K], at first uniform."""

    def step(shared, own, carry, previous):
        return carry, own, jnp.float32(0)

    zeros = jnp.zeros((space.length, space.values))
    return Policy(lambda key: Params((), zeros), lambda shared: (), step)


def lstm(space: Space, hidden: int = 16, scale: float = 0.5, bias_gain: float = 8.0) -> Policy:
    """An LSTM that reads an embedding of the previous choice before each decision (arXiv 1611.01578).

    Each decision has its own embeddings, output weights and biases; weights are at first uniform in
    +-`scale`. Biases count `bias_gain` times: Adam moves every parameter by the learning rate, so what all
    histories of a decision share is learnt as fast as plain logits would be, and what they do not, slower.
    Embeddings enter the gates as they are: a matrix between would add nothing, as each value of
    each decision has its own. A linear layer on the state estimates the score.
    """
    values, gates = space.values, 4 * hidden

    shapes = Params(
        {"recurrent": (hidden, gates), "critic": (hidden,)},
        {"embedding": (space.length, values, gates), "head": (space.length, hidden, values)},
    )

    def init(key):
        weights = _uniform(key, shapes, scale)
        return weights._replace(own=weights.own | {"bias": jnp.zeros((space.length, values))})

    def start(shared):
        return jnp.zeros(hidden), jnp.zeros(hidden)

    def step(shared, own, carry, previous):
        cell, state = carry
        enter, forget, leave, new = jnp.split(own["embedding"][previous] + state @ shared["recurrent"], 4)
        cell = jax.nn.sigmoid(forget + 1) * cell + jax.nn.sigmoid(enter) * jnp.tanh(new)
        state = jax.nn.sigmoid(leave) * jnp.tanh(cell)
        logits_k = state @ own["head"] + bias_gain * own["bias"]
        return (cell, state), logits_k, state @ shared["critic"]

    return Policy(init, start, step)


def sample(policy: Policy, space: Space, params: Params, key: jax.Array, count: int) -> jax.Array:
    """Draw points [count, L] from the policy."""

    def choose(scores, allowed, noise):
        return jnp.argmax(jnp.where(allowed, scores + noise, -jnp.inf)).astype(jnp.int32)

    noise = jax.random.gumbel(key, (count, space.length, space.values))
    return jax.vmap(lambda of_point: _walk(policy, space, params, of_point, choose)[0])(noise)


def score(policy: Policy, space: Space, params: Params, point: jax.Array) -> Scores:
    """Log-probability, entropy and expected score of each decision of a valid point."""
    return _walk(policy, space, params, point, lambda scores, allowed, value: value)[1]


def _uniform(key: jax.Array, shapes: Any, scale: float) -> Any:
    """Arrays of these shapes, drawn at once: a program for each would take long to compile."""
    leaves, tree = jax.tree.flatten(shapes, is_leaf=lambda x: type(x) is tuple)
    sizes = [math.prod(shape) for shape in leaves]
    flat = jax.random.uniform(key, (sum(sizes),), minval=-scale, maxval=scale)
    parts = jax.lax.split(flat, sizes)
    return tree.unflatten([part.reshape(shape) for part, shape in zip(parts, leaves)])


def _walk(policy: Policy, space: Space, params: Params, given: jax.Array, choose) -> tuple[jax.Array, Scores]:
    """Go through the decisions; `choose(scores, allowed, given of the decision)` is the value taken."""

    def step(carry, at):
        (inner, state, previous), (decision, own, told) = carry, at
        inner, scores, expected = policy.step(params.shared, own, inner, previous)
        allowed = space.allowed(decision, state)
        value = choose(scores, allowed, told)
        log_probs, entropy = _masked(scores, allowed)
        after = (inner, space.advance(decision, state, value), value)
        return after, (value, Scores(log_probs[value], entropy, expected))

    carry = (policy.start(params.shared), space.start, jnp.int32(0))
    decisions = jnp.arange(space.length, dtype=jnp.int32)
    return jax.lax.scan(step, carry, (decisions, params.own, given))[1]


def _masked(scores: jax.Array, allowed: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Log-probabilities [K] over the allowed values, -inf elsewhere, and their entropy."""
    log_probs = jax.nn.log_softmax(jnp.where(allowed, scores, -jnp.inf))
    log_probs_allowed = jnp.where(allowed, log_probs, 0)
    return log_probs, -jnp.sum(jnp.where(allowed, jnp.exp(log_probs_allowed) * log_probs_allowed, 0))
