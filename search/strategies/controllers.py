"""Learned controllers: a policy that REINFORCE (arXiv 1611.01578) or PPO (arXiv 1707.06347) improves.

Both ask for points of the policy and then follow the gradient of a surrogate of the expected score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from search.core.space import Space
from search.core.strategy import Strategy
from search.strategies import memory as memories
from search.strategies.memory import Memory
from search.strategies.policies import Params, Policy, Scores, sample, score

SCORES = {"rank": memories.savage_scores, "standard": memories.standard_scores}
BASELINES = ("none", "average", "value")
VALUE_WEIGHT = 0.5
EPSILON = 1e-5  # Adam would take a full step along a gradient that is only rounding error


@dataclass(frozen=True)
class Learning:
    """How a controller learns.

    `entropy` weighs the bonus for each decision's entropy. A point is drawn up to `tries` times until
    it is none of the last `memory` ones. `scores` is how rewards are made free of their scale ("rank" or
    "standard"); `baseline` is what is taken off them: nothing ("none": scores have mean 0 over the memory),
    a moving average of `decay`, or the policy's own estimate ("value").
    """

    rate: float
    entropy: float = 0.2
    batch: int = 1
    tries: int = 8
    memory: int = 256
    scores: str = "rank"
    baseline: str = "none"
    decay: float = 0.9

    def __post_init__(self):
        if self.scores not in SCORES or self.baseline not in BASELINES:
            raise ValueError(
                f"scores={self.scores!r}, baseline={self.baseline!r}: they must be one of {tuple(SCORES)} "
                f"and one of {BASELINES}."
            )
        if min(self.batch, self.tries) < 1 or self.batch > self.memory:
            raise ValueError(
                f"batch={self.batch}, tries={self.tries}, memory={self.memory}: the first two must be at "
                "least 1, and the memory as large as the batch."
            )


class Controller(NamedTuple):
    """The state of a learned controller."""

    key: jax.Array
    params: Params
    optimizer: optax.OptState
    memory: Memory
    average: jax.Array


Surrogate = Callable[[Scores, Scores, jax.Array], jax.Array]  # (now, before the update, advantages [L])


def reinforce(space: Space, policy: Policy, learning: Learning) -> Strategy:
    """Follow the advantage times the gradient of the log-probability, once a batch."""
    return _controller(space, policy, learning, reinforce_surrogate, epochs=1)


def ppo(space: Space, policy: Policy, learning: Learning, epochs: int = 4, clip: float = 0.2) -> Strategy:
    """Take `epochs` steps a batch, on probability ratios that count up to 1 +- `clip`."""
    if epochs < 1 or not 0 < clip < 1:
        raise ValueError(f"epochs={epochs}, clip={clip}: epochs must be at least 1, clip between 0 and 1.")
    return _controller(space, policy, learning, ppo_surrogate(clip), epochs)


def reinforce_surrogate(now: Scores, before: Scores, advantages: jax.Array) -> jax.Array:
    """What REINFORCE maximises, of one point."""
    return jnp.sum(now.log_prob * advantages)


def ppo_surrogate(clip: float) -> Surrogate:
    """What PPO maximises, of one point: each decision's ratio is clipped on its own."""

    def surrogate(now, before, advantages):
        ratio = jnp.exp(now.log_prob - before.log_prob)
        return jnp.minimum(ratio * advantages, jnp.clip(ratio, 1 - clip, 1 + clip) * advantages).sum()

    return surrogate


def _controller(
    space: Space, policy: Policy, learning: Learning, surrogate: Surrogate, epochs: int
) -> Strategy:
    optimizer = optax.adam(learning.rate, eps=EPSILON)

    def init(key):
        key, drawn = jax.random.split(key)
        params = policy.init(drawn)
        memory = memories.empty(learning.memory, space.length)
        return Controller(key, params, optimizer.init(params), memory, jnp.float32(0))

    def ask(state):
        key, drawn = jax.random.split(state.key)
        candidates = sample(policy, space, state.params, drawn, learning.batch * learning.tries)
        return memories.fresh_first(state.memory, candidates, learning.batch), state._replace(key=key)

    def score_all(params, points):
        return jax.vmap(lambda point: score(policy, space, params, point))(points)

    def loss(params, points, before, advantages, scores):
        now = score_all(params, points)
        gain = jax.vmap(surrogate)(now, before, advantages) + learning.entropy * now.entropy.sum(-1)
        misjudged = jnp.square(now.value - scores[:, None]).sum(-1) if learning.baseline == "value" else 0
        return jnp.mean(VALUE_WEIGHT * misjudged - gain)

    def tell(state, points, rewards):
        memory = memories.remember(state.memory, points, rewards)
        scores = SCORES[learning.scores](memory, rewards)
        before = score_all(state.params, points)
        baseline = {"none": 0.0, "average": state.average, "value": before.value}[learning.baseline]
        advantages = jnp.broadcast_to(scores[:, None] - baseline, before.log_prob.shape)

        def epoch(_, learned):
            params, moments = learned
            gradient = jax.grad(loss)(params, points, before, advantages, scores)
            updates, moments = optimizer.update(gradient, moments)
            return optax.apply_updates(params, updates), moments

        params, moments = jax.lax.fori_loop(0, epochs, epoch, (state.params, state.optimizer))
        average = learning.decay * state.average + (1 - learning.decay) * scores.mean()
        return Controller(state.key, params, moments, memory, average)

    return Strategy(init, ask, tell)
