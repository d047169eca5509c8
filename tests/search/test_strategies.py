"""What holds of every strategy: the protocol, reproducibility, and that a search goes on whatever it is told."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from search.evaluators.tabular import tabular
from search.expectation import random_search
from search.objectives import maximise
from search.simulate import chosen, simulate
from search.space import Space
from search.strategies import policies
from search.strategies.baselines import grid, random, random_without_replacement
from search.strategies.catalogue import STRATEGIES, named
from search.strategies.controllers import Learning, ppo, reinforce
from search.strategies.evolution import evolution
from search.strategies.halving import halving, with_rungs
from search.strategies.local_search import local_search
from search.strategies.nsga2 import nsga2
from search.strategy import batch_of

BATCHED = {
    "grid by 3": lambda space: grid(space, 3),
    "random by 3": lambda space: random(space, 3),
    "shuffled by 3": lambda space: random_without_replacement(space, 3),
    "local search by 3": lambda space: local_search(space, 3),
    "evolution by 3": lambda space: evolution(space, 6, 2, 3),
    "logits by 3, standard, average": lambda space: reinforce(
        space, policies.logits(space), Learning(0.1, batch=3, scores="standard", baseline="average")
    ),
    "lstm by 3, value": lambda space: ppo(
        space, policies.lstm(space, 4), Learning(0.01, batch=3, baseline="value"), epochs=2
    ),
}
EVERY = STRATEGIES | BATCHED
LEARNING = [name for name in STRATEGIES if name not in ("grid", "random", "random_without_replacement")]


@pytest.fixture(params=EVERY, ids=str)
def strategy_of(request):
    return EVERY[request.param]


def host_loop(strategy, evaluate, asks, key):
    """The same search, step by step: what `simulate` must equal."""
    ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
    state, points, rewards = strategy.init(key), [], []
    for _ in range(asks):
        asked, state = ask(state)
        answer = evaluate(asked)
        state = tell(state, asked, answer)
        points.append(np.asarray(asked))
        rewards.append(np.asarray(answer))
    return np.concatenate(points), np.concatenate(rewards)


def test_every_point_asked_for_is_valid_and_the_state_keeps_its_shape(space, strategy_of):
    if space.size > 5000:
        pytest.skip("the small spaces have everything that the large ones have")
    strategy = strategy_of(space)
    state = strategy.init(jax.random.key(0))
    shapes = jax.tree.map(lambda x: (x.shape, x.dtype), state)
    ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
    for i in range(12):
        points, state = ask(state)
        assert points.dtype == jnp.int32 and points.shape == (batch_of(strategy), space.length)
        assert jax.vmap(space.is_valid)(points).all()
        state = tell(state, points, points.sum(-1) + 0.1 * i)
        assert jax.tree.map(lambda x: (x.shape, x.dtype), state) == shapes


def test_simulated_searches_equal_the_host_loop(hill, strategy_of):
    strategy = strategy_of(hill.space)
    evaluator, objective = tabular(hill, {"y": "val"}), maximise("y")
    keys = jax.random.split(jax.random.key(3), 3)
    found = simulate(strategy, evaluator, objective, 30, keys)
    for i, key in enumerate(keys):
        asks = -(-30 // batch_of(strategy))
        points, rewards = host_loop(strategy, lambda p: objective(evaluator(p)), asks, key)
        assert np.array_equal(found.points[i], points[:30])
        assert np.array_equal(found.rewards[i], rewards[:30])


def test_the_same_seed_gives_the_same_trace_and_another_seed_another(hill, strategy_of):
    strategy = strategy_of(hill.space)
    evaluator, objective = tabular(hill, {"y": "val"}), maximise("y")
    one = simulate(strategy, evaluator, objective, 20, jax.random.split(jax.random.key(0), 2))
    again = simulate(
        strategy_of(hill.space), evaluator, objective, 20, jax.random.split(jax.random.key(0), 2)
    )
    assert np.array_equal(one.points, again.points) and np.array_equal(one.rewards, again.rewards)
    if strategy_of not in (EVERY["grid"], EVERY["grid by 3"]):
        assert not np.array_equal(one.points[0], one.points[1])


@pytest.mark.parametrize("failure", [np.nan, -np.inf, np.inf])
def test_a_failing_point_never_ends_a_search_nor_wins_it(hill, strategy_of, failure):
    """Half of the space fails; the rest is still searched, and no state goes bad."""
    strategy = strategy_of(hill.space)
    evaluator = tabular(hill, {"y": "val"})

    def objective(metrics):
        return jnp.where(metrics["y"] > 18, failure, metrics["y"])

    found = simulate(strategy, evaluator, objective, 60, jax.random.split(jax.random.key(0), 4))
    assert jax.vmap(jax.vmap(hill.space.is_valid))(found.points).all()
    reached = hill.at("val", chosen(found, 60))
    assert (reached <= 18).all()
    assert len(np.unique(np.asarray(found.points[0]), axis=0)) > 3


def test_all_points_may_fail(hill, strategy_of):
    strategy = strategy_of(hill.space)
    fails = simulate(
        strategy,
        tabular(hill, {"y": "val"}),
        lambda m: m["y"] * jnp.nan,
        30,
        jax.random.split(jax.random.key(0), 2),
    )
    assert jax.vmap(jax.vmap(hill.space.is_valid))(fails.points).all()
    with pytest.raises(ValueError, match="2 of 2 searches"):
        chosen(fails, 30)


@pytest.mark.parametrize("name", LEARNING)
def test_a_strategy_that_learns_beats_random_search_clearly(hill, name):
    keys = jax.random.split(jax.random.key(0), 100)
    found = simulate(named(name, hill.space), tabular(hill, {"y": "val"}), maximise("y"), 60, keys)
    reached = hill.at("val", chosen(found, 60))
    exact = random_search(hill.column("val"), hill.column("val"), 60)
    assert reached.mean() > exact.mean + 5 * reached.std() / 10


@pytest.mark.parametrize("name", ["reinforce", "lstm_reinforce", "lstm_ppo", "evolution", "local_search"])
def test_the_scale_of_rewards_does_not_matter(hill, name):
    """Rewards are seen by rank: any increasing function of them gives the same search."""
    strategy, keys = named(name, hill.space), jax.random.split(jax.random.key(0), 2)
    traces = [
        simulate(strategy, tabular(hill, {"y": "val"}), objective, 40, keys).points
        for objective in (maximise("y"), lambda m: 1e-3 * m["y"] - 7, lambda m: jnp.exp(m["y"] / 4))
    ]
    assert np.array_equal(traces[0], traces[1]) and np.array_equal(traces[0], traces[2])


def test_grid_and_shuffled_visit_every_point_once():
    space = with_rungs(Space("small", EVERY_SMALL), 2)
    for strategy in (grid(space), grid(space, 5), random_without_replacement(space, 5)):
        state, seen = strategy.init(jax.random.key(0)), []
        for _ in range(-(-space.size // batch_of(strategy))):
            points, state = strategy.ask(state)
            seen += map(tuple, points.tolist())
        assert set(seen) == {tuple(p) for p in space.points().tolist()}
        assert len(set(seen[: space.size])) == space.size


EVERY_SMALL = np.zeros((2, 1, 3), np.int32)


def test_local_search_ends_on_a_peak_and_starts_again():
    """On a single peak it climbs to the top, asks for all that lies around, and leaves."""
    space = Space("line", np.zeros((1, 1, 6), np.int32))
    strategy = local_search(space)
    state, asked = strategy.init(jax.random.key(0)), []
    for _ in range(40):
        points, state = strategy.ask(state)
        asked.append(int(points[0, 0]))
        state = strategy.tell(state, points, -jnp.abs(points[:, 0] - 2.0))
    top = asked.index(2)
    assert set(asked[: top + 6]) == set(range(6))


def test_evolution_forgets_the_oldest_whatever_it_was_worth():
    space = Space("wide", np.zeros((3, 1, 9), np.int32))
    strategy = evolution(space, population=4, tournament=2)
    state = strategy.init(jax.random.key(0))
    for i in range(5):
        points, state = strategy.ask(state)
        state = strategy.tell(state, points, jnp.array([-float(i)]))
    assert sorted(state.rewards.tolist()) == [-4, -3, -2, -1]


def test_halving_promotes_the_best_of_each_rung(hill):
    inner = random(hill.space, 2)
    strategy = halving(inner, (8, 4, 2))
    laddered = with_rungs(hill.space, 3)
    state, told = strategy.init(jax.random.key(0)), []
    for _ in range(14):  # two brackets of 4 + 2 + 1 asks
        points, state = strategy.ask(state)
        assert jax.vmap(laddered.is_valid)(points).all()
        rewards = jnp.asarray(hill.at("val", np.asarray(points)[:, :-1]), jnp.float32)
        told += [(tuple(p[:-1]), p[-1], r) for p, r in zip(points.tolist(), rewards.tolist())]
        state = strategy.tell(state, points, rewards)
    for bracket in (told[:14], told[14:]):
        by_rung = [[entry for entry in bracket if entry[1] == rung] for rung in range(3)]
        assert [len(entries) for entries in by_rung] == [8, 4, 2]
        for lower, upper in itertools.pairwise(by_rung):
            best = sorted((entry[2] for entry in lower), reverse=True)[: len(upper)]
            assert [entry[2] for entry in upper] == best
    assert laddered.to_string(laddered.from_string("64-1234-basic@2")) == "64-1234-basic@2"


@pytest.mark.parametrize("widths", [(4, 4), (2, 4), (5, 2), (1,)])
def test_halving_needs_falling_multiples_of_the_batch(hill, widths):
    with pytest.raises(ValueError, match="widths"):
        halving(random(hill.space, 2), widths)


def test_nsga2_finds_the_front_of_two_objectives():
    """Values against their cost: the front is every point whose decisions are all one value or its better."""
    space = Space("two", np.zeros((3, 1, 4), np.int32))
    points = space.points()
    both = np.stack([(points**2).sum(-1), -points.sum(-1)], -1)
    front = {tuple(p) for p in both if not ((both >= p).all(-1) & (both > p).any(-1)).any()}
    strategy = nsga2(space, objectives=2, population=16, batch=4)
    ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
    state = strategy.init(jax.random.key(0))
    for _ in range(60):
        asked, state = ask(state)
        p = np.asarray(asked)
        state = tell(state, asked, jnp.asarray(np.stack([(p**2).sum(-1), -p.sum(-1)], -1), jnp.float32))
    assert front <= {tuple(r) for r in np.asarray(state.rewards).astype(int).tolist()}
    assert len(np.unique(np.asarray(state.points), axis=0)) == 16


@pytest.mark.parametrize(
    "make",
    [
        lambda s: evolution(s, population=2, tournament=3),
        lambda s: nsga2(s, 2, population=2, batch=3),
        lambda s: ppo(s, policies.logits(s), Learning(0.1), epochs=0),
        lambda s: reinforce(s, policies.logits(s), Learning(0.1, scores="ranks")),
        lambda s: reinforce(s, policies.logits(s), Learning(0.1, batch=300)),
        lambda s: random_without_replacement(Space("large", np.zeros((40, 1, 13), np.int32))),
        lambda s: grid(Space("large", np.zeros((40, 1, 13), np.int32))),
        lambda s: named("evolutoin", s),
    ],
)
def test_settings_that_make_no_sense_are_refused(hill, make):
    with pytest.raises((ValueError, KeyError)):
        make(hill.space)
