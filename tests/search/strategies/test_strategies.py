"""What holds of every strategy: the protocol, reproducibility, and going on whatever it is told."""

from __future__ import annotations

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.laws.halving import best
from search.core.objectives import maximise
from search.core.space import Space
from search.core.strategy import batch_of, rungs_of
from search.core.table import Table, ranks
from search.evaluators.tabular import laddered, tabular
from search.simulation.expectation import random_search
from search.simulation.simulate import chosen, simulate
from search.strategies import policies
from search.strategies.baselines import grid, random, random_without_replacement
from search.strategies.catalogue import STRATEGIES, named
from search.strategies.controllers import Learning, ppo, reinforce
from search.strategies.evolution import evolution
from search.strategies.gaussian_process import gp
from search.strategies.halving import halving
from search.strategies.local_search import local_search
from search.strategies.nsga2 import nsga2
from search.strategies.predictor import predictor
from search.strategies.remembering import remembering

# A pool and memory that are quick to judge; the memory is too small for a whole search
FEW = {"samples": 6, "mutants": 10, "memory": 32}
BATCHED = {
    "grid by 3": lambda space: grid(space, 3),
    "random by 3": lambda space: random(space, 3),
    "shuffled by 3": lambda space: random_without_replacement(space, 3),
    "local search by 3": lambda space: local_search(space, 3),
    "evolution by 3": lambda space: evolution(space, 6, 2, 3),
    "gp by 3, expected improvement": lambda space: gp(space, "ei", batch=3, **FEW),
    "gp by 3, Thompson": lambda space: gp(space, "thompson", batch=3, **FEW),
    "remembering evolution by 3": lambda space: remembering(evolution(space, 6, 2, 3), space),
    "predictor by 3": lambda space: predictor(space, 2, 8, batch=3, **FEW),
    "logits by 3, standard, average": lambda space: reinforce(
        space, policies.logits(space), Learning(0.1, batch=3, scores="standard", baseline="average")
    ),
    "lstm by 3, value": lambda space: ppo(
        space, policies.lstm(space, 4), Learning(0.01, batch=3, baseline="value"), epochs=2
    ),
}
# NSGA-II is of several objectives; models are as in the catalogue, but for their size
SINGLE = {name: made for name, made in STRATEGIES.items() if name != "nsga2"} | {
    "gp": lambda space: gp(space, samples=6, mutants=10, memory=80),
    "predictor": lambda space: predictor(space, 3, 16, samples=6, mutants=10, memory=80),
}
EVERY = SINGLE | BATCHED
BASELINES = ("grid", "random", "random_without_replacement")
LEARNING = [name for name in SINGLE if name not in BASELINES]

# One objective, budget and number of seeds, so that each strategy is compiled once for all these tests.
OBJECTIVE = maximise("y")
EVALUATIONS = 80
KEYS = jax.random.split(jax.random.key(3), 60)


@functools.cache
def strategy_for(name, space):
    return EVERY[name](space)


def search(name, table):
    strategy = strategy_for(name, table.space)
    return simulate(strategy, tabular(table, {"y": "val"}), OBJECTIVE, EVALUATIONS, KEYS)


@pytest.fixture(scope="module")
def found_on(hill):
    """Return what a strategy asks for on the hill, searched once: name -> trace."""
    return functools.cache(lambda name: search(name, hill))


def assert_valid(space, points):
    asked = {tuple(point) for point in np.asarray(points).reshape(-1, space.length).tolist()}
    assert asked <= {tuple(point) for point in space.points().tolist()}


def changed(table, change):
    """The table with other values: the same searches, compiled once."""
    return Table(table.space, {"val": change(table.column("val"))})


# A batch changes how a strategy's own functions are called, not what they do; unclipped PPO is REINFORCE, and
# tests/search/strategies/test_models.py asks more of the models
SECOND = {"lstm_reinforce", "predictor", "gp", *BATCHED}


# They rank rewards by the code of lstm_ppo and gp
RANKED_ALIKE = ("lstm_reinforce", "predictor")
# Of the batches, one of a model and one of a controller by night
THIRD = set(BATCHED) - {"evolution by 3", "gp by 3, Thompson", "lstm by 3, value"}


def marked(names):
    marks = dict.fromkeys(SECOND, pytest.mark.nightly) | dict.fromkeys(THIRD, pytest.mark.exhaustive)
    return [pytest.param(name, marks=marks.get(name, ())) for name in names]


@pytest.fixture(params=marked(EVERY))
def name(request):
    return request.param


@pytest.mark.representatives("evolution")
def test_simulated_searches_equal_the_host_loop(hill, name, found_on):
    """And keep the protocol: valid int32 points, always as many, and a state of constant shape."""
    strategy, found = strategy_for(name, hill.space), found_on(name)
    ask, tell, evaluator = jax.jit(strategy.ask), jax.jit(strategy.tell), tabular(hill, {"y": "val"})
    evaluate = jax.jit(lambda points: OBJECTIVE(evaluator(points)))
    for i, key in enumerate(KEYS[:2]):
        state, points, rewards = strategy.init(key), [], []
        shapes = jax.tree.map(lambda x: (x.shape, x.dtype), state)
        while len(points) * batch_of(strategy) < EVALUATIONS:
            asked, state = ask(state)
            assert asked.dtype == jnp.int32 and asked.shape == (batch_of(strategy), hill.space.length)
            answer = evaluate(asked)
            state = tell(state, asked, answer)
            assert jax.tree.map(lambda x: (x.shape, x.dtype), state) == shapes
            points.append(asked)
            rewards.append(answer)
        assert np.array_equal(found.points[i], np.concatenate(points)[:EVALUATIONS])
        assert np.array_equal(found.rewards[i], np.concatenate(rewards)[:EVALUATIONS])


@pytest.mark.representatives("evolution", "reinforce", "local_search", "random", night=5)
def test_searches_are_valid_and_reproducible(hill, name, found_on):
    one, again = found_on(name), search(name, hill)
    assert_valid(hill.space, one.points)
    assert np.array_equal(one.points, again.points) and np.array_equal(one.rewards, again.rewards)
    assert name.startswith("grid") or not np.array_equal(one.points[0], one.points[1])


@pytest.mark.representatives("evolution", "lstm_ppo")
@pytest.mark.parametrize("name", marked(SINGLE))
def test_a_failing_point_never_ends_a_search_nor_wins_it(hill, name):
    """The higher half fails, in every way that a reward can say so."""
    high = hill.column("val") > np.median(hill.column("val"))
    failure = np.resize([np.nan, np.inf, -np.inf], len(high))
    broken = changed(hill, lambda val: np.where(high, failure, val))
    found = search(name, broken)
    assert_valid(hill.space, found.points)
    assert not high[ranks(hill.space, chosen(found, EVALUATIONS))].any()
    assert len(np.unique(np.asarray(found.points[0]), axis=0)) > 3


@pytest.mark.representatives("evolution")
@pytest.mark.parametrize("name", marked(SINGLE))
def test_all_points_may_fail(hill, name):
    found = search(name, changed(hill, lambda val: val * np.nan))
    assert_valid(hill.space, found.points)
    with pytest.raises(ValueError, match="60 of 60 searches"):
        chosen(found, EVALUATIONS)


@pytest.mark.parametrize("name", marked(LEARNING))
def test_a_strategy_that_learns_beats_random_search_clearly(hill, name, found_on):
    reached = hill.at("val", chosen(found_on(name), EVALUATIONS))
    exact = random_search(hill.column("val"), hill.column("val"), EVALUATIONS)
    assert reached.mean() > exact.mean + 3 * reached.std() / np.sqrt(len(KEYS))


@pytest.mark.representatives(2, night=2)
@pytest.mark.parametrize("name", marked(name for name in LEARNING if name not in RANKED_ALIKE))
def test_the_scale_of_rewards_does_not_matter(hill, name, found_on):
    """Rewards are seen by rank: any increasing function of them gives the same search."""
    points = found_on(name).points
    for change in (lambda val: 1e-3 * val, lambda val: np.exp(val / 8), lambda val: -1 / (val + 9)):
        val = hill.column("val")
        assert np.array_equal(np.argsort(np.float32(change(val))), np.argsort(np.float32(val)))
        assert np.array_equal(search(name, changed(hill, change)).points, points)


EVERY_SMALL = np.zeros((2, 1, 3), np.int32)


def test_grid_and_shuffled_visit_every_point_once():
    space = Space("small", EVERY_SMALL)
    for strategy in (grid(space), grid(space, 5), random_without_replacement(space, 5)):
        state, seen = strategy.init(jax.random.key(0)), []
        for _ in range(-(-space.size // batch_of(strategy))):
            points, state = strategy.ask(state)
            seen += map(tuple, points.tolist())
        assert set(seen) == {tuple(p) for p in space.points().tolist()}
        assert len(set(seen[: space.size])) == space.size


def test_local_search_ends_on_a_peak_and_starts_again():
    """On a single peak it climbs to the top, asks for all that lies around, and leaves."""
    space = Space("line", np.zeros((1, 1, 6), np.int32))
    strategy = local_search(space)
    ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
    state, asked = strategy.init(jax.random.key(0)), []
    for _ in range(40):
        points, state = ask(state)
        asked.append(int(points[0, 0]))
        state = tell(state, points, -jnp.abs(points[:, 0] - 2.0))
    top = asked.index(2)
    assert set(asked[: top + 6]) == set(range(6))


def test_evolution_forgets_the_oldest_whatever_it_was_worth():
    space = Space("wide", np.zeros((3, 1, 9), np.int32))
    strategy = evolution(space, population=4, tournament=2)
    ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
    state = strategy.init(jax.random.key(0))
    for i in range(5):
        points, state = ask(state)
        state = tell(state, points, jnp.array([-float(i)]))
    assert sorted(state.rewards.tolist()) == [-4, -3, -2, -1]


def test_remembering_draws_until_a_point_is_new_and_keeps_the_rest_of_the_search():
    """One try is the strategy itself; with tries enough, no point comes twice before all came."""
    space = Space("line", np.zeros((1, 1, 6), np.int32))

    def asked(strategy, times):
        ask, state, points = jax.jit(strategy.ask), strategy.init(jax.random.key(0)), []
        for _ in range(times):
            point, state = ask(state)
            points.append(int(point[0, 0]))
            state = strategy.tell(state, point, jnp.zeros(1))
        return points

    plain = asked(random(space), 8)
    assert asked(remembering(random(space), space, tries=1), 8) == plain
    fresh = list(dict.fromkeys(plain))
    assert asked(remembering(random(space), space, tries=200), len(fresh)) == fresh


def test_halving_promotes_the_best_of_each_rung(hill):
    inner = random(hill.space, 2)
    strategy = halving(inner, (8, 4, 2))
    state, told = strategy.init(jax.random.key(0)), []
    for _ in range(14):  # two brackets of 4 + 2 + 1 asks
        points, state = strategy.ask(state)
        assert jax.vmap(hill.space.is_valid)(points).all()
        rewards = jnp.asarray(hill.at("val", np.asarray(points)), jnp.float32)
        told += zip(map(tuple, points.tolist()), rungs_of(strategy, state, points).tolist(), rewards.tolist())
        state = strategy.tell(state, points, rewards)
    for bracket in (told[:14], told[14:]):
        by_rung = [[entry for entry in bracket if entry[1] == rung] for rung in range(3)]
        assert [len(entries) for entries in by_rung] == [8, 4, 2]
        for lower, upper in itertools.pairwise(by_rung):
            kept = best([entry[2] for entry in lower], len(upper))  # by the rule of the coefficient grid
            assert [entry[0] for entry in upper] == [lower[i][0] for i in kept]


@pytest.mark.parametrize(
    "name", ["evolution", *(pytest.param(n, marks=pytest.mark.nightly) for n in ("random", "reinforce"))]
)
def test_halving_around_any_strategy_reports_the_best_of_the_last_rung(hill, name):
    """The low rung is a coarse measure, which may order points wrongly."""
    coarse = Table(hill.space, {"low": np.round(hill.column("val"), -1), "high": hill.column("val")})
    evaluator = laddered(coarse, {"y": ["low", "high"]}, [1.0, 12.0])
    found = simulate(halving(named(name, hill.space), (9, 3)), evaluator, OBJECTIVE, 36, KEYS[:20])
    rung = np.asarray(found.rungs)
    assert (rung.sum(-1) == 9).all()  # three brackets of 9 + 3
    measured = np.where(rung == 1, coarse.at("high", np.asarray(found.points)), -np.inf)
    np.testing.assert_allclose(coarse.at("high", chosen(found, 36)), measured.max(-1), rtol=1e-6)
    assert evaluator(found.points[0], found.rungs[0])["cost"].sum() == 27 + 9 * 12


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
        lambda s: gp(s, acquisition="ucbb"),
        lambda s: gp(s, noise=0.0),
        lambda s: gp(s, memory=4),
        lambda s: remembering(random(s), s, tries=0),
        lambda s: predictor(s, members=1),
        lambda s: predictor(s, batch=17),
        lambda s: random_without_replacement(Space("large", np.zeros((40, 1, 13), np.int32))),
        lambda s: grid(Space("large", np.zeros((40, 1, 13), np.int32))),
        lambda s: named("evolutoin", s),
    ],
)
def test_settings_that_make_no_sense_are_refused(hill, make):
    with pytest.raises((ValueError, KeyError)):
        make(hill.space)
