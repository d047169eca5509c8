"""Policies are distributions, and controllers follow the gradient that enumeration gives."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from search.core.space import Space
from search.strategies import memory as memories
from search.strategies import policies
from search.strategies.controllers import Learning, ppo, ppo_surrogate, reinforce, reinforce_surrogate

POLICIES = {"logits": policies.logits, "lstm": lambda space: policies.lstm(space, hidden=5)}


@pytest.fixture(params=POLICIES)
def policy_of(request):
    return policy_for(request.param)


@functools.cache
def policy_for(name):
    """A policy a space, so that what is compiled for it serves all tests."""
    return functools.cache(POLICIES[name])


def drawn(policy, seed=0):
    """Parameters far from uniform."""
    params = policy.init(jax.random.key(seed))
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(seed + 1), len(leaves))
    return tree.unflatten([jax.random.normal(k, leaf.shape) for k, leaf in zip(keys, leaves)])


def scores_of(policy, space, params, points):
    return scoring(policy, space)(params, jnp.asarray(points))


@functools.cache
def scoring(policy, space):
    return jax.jit(
        jax.vmap(lambda params, point: policies.score(policy, space, params, point), in_axes=(None, 0))
    )


@pytest.mark.representatives(4)
def test_probabilities_of_all_points_sum_to_one_and_entropy_is_theirs(space, policy_of):
    """The expected sum of the decisions' entropies is the entropy of the points (chain rule)."""
    policy = policy_of(space)
    scores = scores_of(policy, space, drawn(policy), space.points())
    log_probs = np.asarray(scores.log_prob.sum(-1), float)
    probs = np.exp(log_probs)
    assert np.isfinite(log_probs).all()
    assert abs(probs.sum() - 1) < 1e-4
    assert abs(probs @ np.asarray(scores.entropy.sum(-1)) + probs @ log_probs) < 1e-3


def test_points_are_drawn_with_their_probabilities(small_space, policy_of):
    space = small_space
    policy, n = policy_of(space), 20_000
    params = drawn(policy)
    drawing = jax.jit(
        lambda params, key: jax.vmap(space.rank)(policies.sample(policy, space, params, key, n))
    )
    counts = np.bincount(drawing(params, jax.random.key(5)), minlength=space.size)
    probs = np.exp(scores_of(policy, space, params, space.points()).log_prob.sum(-1))
    assert (np.abs(counts / n - probs) < 5 * np.sqrt(probs / n) + 1e-6).all()


def test_a_choice_of_the_lstm_depends_on_the_ones_before():
    space = Space("two", np.zeros((2, 1, 3), np.int32))
    policy = policies.lstm(space, 5)
    log_probs = scores_of(policy, space, drawn(policy), [[0, 1], [1, 1]]).log_prob[:, 1]
    assert abs(log_probs[0] - log_probs[1]) > 1e-3


@pytest.mark.representatives(2)
@pytest.mark.parametrize("surrogate", [reinforce_surrogate, ppo_surrogate(0.2)], ids=["reinforce", "ppo"])
def test_the_expected_gradient_is_the_gradient_of_the_expected_reward(small_space, policy_of, surrogate):
    """Over all points, weighted by their probability; a baseline changes nothing."""
    space = small_space
    policy, points = policy_of(space), jnp.asarray(space.points())
    params, rewards = drawn(policy), jnp.sin(jnp.arange(space.size, dtype=jnp.float32))
    before = scores_of(policy, space, params, points)
    probs = jnp.exp(before.log_prob.sum(-1))

    def expected_reward(params):
        return jnp.exp(scores_of(policy, space, params, points).log_prob.sum(-1)) @ rewards

    def expected_surrogate(params, baseline):
        now = scores_of(policy, space, params, points)
        advantages = jnp.broadcast_to((rewards - baseline)[:, None], now.log_prob.shape)
        return probs @ jax.vmap(surrogate)(now, before, advantages)

    true, estimate = jax.jit(jax.grad(expected_reward))(params), jax.jit(jax.grad(expected_surrogate))
    for baseline in (0.0, 0.7):
        estimated = estimate(params, baseline)
        for a, b in zip(jax.tree.leaves(true), jax.tree.leaves(estimated)):
            np.testing.assert_allclose(a, b, atol=2e-5)


@pytest.mark.representatives(1)
def test_ppo_s_ratio_is_one_at_the_first_epoch(hill, policy_of):
    """So its surrogate is the advantage, its gradient REINFORCE's, and one epoch of it is REINFORCE."""
    policy = policy_of(hill.space)
    params, points = drawn(policy), hill.space.points()[::40]
    now = scores_of(policy, hill.space, params, points)
    advantages = jnp.linspace(-2, 2, now.log_prob.size).reshape(now.log_prob.shape)
    gained = jax.jit(jax.vmap(ppo_surrogate(0.2)))(now, now, advantages)
    np.testing.assert_allclose(gained, advantages.sum(-1), rtol=1e-6)

    def traced(strategy):
        ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
        state, asked = strategy.init(jax.random.key(0)), []
        for _ in range(5):
            points, state = ask(state)
            state = tell(state, points, points.sum(-1).astype(jnp.float32))
            asked.append(points)
        return jnp.concatenate(asked), state.params

    learning = Learning(0.05, batch=4)
    one, other = (
        traced(reinforce(hill.space, policy, learning)),
        traced(ppo(hill.space, policy, learning, epochs=1)),
    )
    assert np.array_equal(one[0], other[0])
    for a, b in zip(jax.tree.leaves(one[1]), jax.tree.leaves(other[1])):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_ppo_does_not_push_a_ratio_beyond_the_clip():
    surrogate = ppo_surrogate(0.2)

    def slope(ratio, advantage):
        now = policies.Scores(jnp.log(jnp.array([ratio])), jnp.zeros(1), jnp.zeros(1))
        before = policies.Scores(jnp.zeros(1), jnp.zeros(1), jnp.zeros(1))
        return jax.grad(lambda n: surrogate(n, before, jnp.array([advantage])))(now).log_prob[0]

    assert slope(1.3, 1.0) == 0 and slope(0.7, -1.0) == 0  # far enough already
    assert slope(1.1, 1.0) > 0 and slope(0.7, 1.0) > 0  # not yet, or in the wrong direction
    assert slope(0.9, -1.0) < 0 and slope(1.3, -1.0) < 0


def test_one_step_is_adam_s_along_the_surrogate_and_the_entropy_bonus():
    space = Space("two", np.zeros((2, 1, 3), np.int32))
    policy = policies.logits(space)
    learning = Learning(0.1, entropy=0.3, batch=3, tries=1)
    strategy = reinforce(space, policy, learning)
    points, state = jax.jit(strategy.ask)(strategy.init(jax.random.key(0)))
    told = jax.jit(strategy.tell)(state, points, jnp.array([3.0, 1.0, 2.0]))
    advantages = jnp.array([1 / 3 + 1 / 2 + 1 - 1, 1 / 3 - 1, 1 / 3 + 1 / 2 - 1])  # Savage scores of three

    def loss(params):
        now = scores_of(policy, space, params, points)
        return -jnp.mean(now.log_prob.sum(-1) * advantages + 0.3 * now.entropy.sum(-1))

    adam = optax.adam(0.1, eps=1e-5)
    updates, _ = adam.update(jax.jit(jax.grad(loss))(state.params), adam.init(state.params))
    expected = optax.apply_updates(state.params, updates)
    # Where the gradient is 0 but for rounding, 3e-8 or so, a step is 0.1 times that over eps
    np.testing.assert_allclose(told.params.own, expected.own, atol=1e-3)


def remembered(rewards, size=8):
    points = jnp.arange(len(rewards), dtype=jnp.int32)[:, None]
    return memories.remember(memories.empty(size, 1), points, jnp.asarray(rewards, jnp.float32))


def test_savage_scores_are_the_expected_order_statistics_of_exponentials():
    rewards = jnp.array([0.3, -2.0, 5.0, 1.0])
    scores = memories.savage_scores(remembered(rewards), rewards)
    draws = np.sort(np.random.default_rng(0).exponential(size=(200_000, 4)), -1).mean(0) - 1
    np.testing.assert_allclose(scores, draws[[1, 0, 3, 2]], atol=0.01)
    assert abs(scores.mean()) < 1e-6


def test_scores_of_equal_and_failed_rewards():
    equal = jnp.array([2.0, 2.0, 2.0])
    assert np.ptp(np.asarray(memories.savage_scores(remembered(equal), equal))) == 0
    mixed = jnp.array([2.0, jnp.nan, 3.0, -jnp.inf])
    for scores_of_rewards in (memories.savage_scores, memories.standard_scores):
        scores = scores_of_rewards(remembered(mixed), mixed)
        assert jnp.isfinite(scores).all()
        assert scores[1] == scores[3] < scores[0] < scores[2]


def test_standard_scores_do_not_know_the_scale():
    rewards = jnp.array([0.3, -2.0, 5.0, 1.0])
    plain = memories.standard_scores(remembered(rewards), rewards)
    scaled = memories.standard_scores(remembered(100 * rewards - 7), 100 * rewards - 7)
    np.testing.assert_allclose(plain, scaled, atol=1e-5)
    assert abs(plain.mean()) < 1e-6 and abs(plain.std() - 1) < 1e-5
    one = jnp.array([4.0])
    assert memories.standard_scores(remembered(one), one) == 0


def test_memory_is_a_ring_and_new_candidates_come_first():
    memory = remembered(range(6), size=4)
    assert sorted(memory.rewards.tolist()) == [2, 3, 4, 5]
    candidates = jnp.array([[5], [9], [9], [8], [2]], jnp.int32)
    assert memories.fresh_first(memory, candidates, 2)[:, 0].tolist() == [9, 8]
    assert memories.fresh_first(memory, candidates, 4)[:, 0].tolist() == [9, 8, 5, 9]


@pytest.mark.nightly
def test_a_value_baseline_learns_what_reward_to_expect():
    space = Space("two", np.zeros((2, 1, 3), np.int32))
    strategy = reinforce(space, policies.lstm(space, 4), Learning(0.02, batch=4, baseline="value", tries=1))
    state = strategy.init(jax.random.key(0))
    before = state.params.shared["critic"]
    points, state = jax.jit(strategy.ask)(state)
    state = jax.jit(strategy.tell)(state, points, points.sum(-1).astype(jnp.float32))
    assert not np.array_equal(state.params.shared["critic"], before)
