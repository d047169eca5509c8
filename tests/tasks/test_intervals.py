"""Intervals over examples: those of means are the classical ones, and they hold what they should."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.tasks.intervals import GROUPS, by_group, margins

RATIO = lambda sums: {"ratio": float(sums[0] / sums[1])}


def drawn(rng, count: int) -> np.ndarray:
    """Right and all pixels of each image: sizes differ, and larger images are harder."""
    whole = rng.integers(50, 150, count)
    return np.stack([rng.binomial(whole, 1 - whole / 300), whole], 1)


def test_a_groups_sums_do_not_depend_on_how_examples_are_cut_into_batches():
    values, places = drawn(np.random.default_rng(0), 50), np.arange(50)
    group = jax.jit(by_group)
    whole = group(values, places)
    parts = sum(group(jnp.asarray(values[i : i + 25]), places[i : i + 25]) for i in (0, 25))
    np.testing.assert_array_equal(whole, parts)
    assert whole.shape == (GROUPS, 2)
    np.testing.assert_array_equal(whole[3], values[3] + values[3 + GROUPS])


def test_nineteen_of_twenty_intervals_hold_the_truth():
    rng, kept = np.random.default_rng(1), 0
    truth = RATIO(drawn(rng, 100_000).sum(0))["ratio"]
    for _ in range(400):
        examples = drawn(rng, 100)
        groups = np.stack([examples[place::GROUPS].sum(0) for place in range(GROUPS)])
        found = RATIO(groups.sum(0))["ratio"]
        kept += abs(found - truth) <= margins(RATIO, groups)["ratio_margin"]
    assert kept / 400 == pytest.approx(0.95, abs=0.03)


def test_one_group_has_no_interval():
    groups = np.zeros((GROUPS, 2), int)
    groups[0] = 5, 10
    assert margins(RATIO, groups) == {}
