"""Intervals hold the truth as often as they say, over two hundred studies of a known law."""

import functools

import numpy as np
import pytest

from scaling.laws.compare import difference
from scaling.laws.holdout import hold_out
from scaling.laws.power import fit, interval

STUDIES = 200
# Two hundred studies of a right 95 % interval fall below this about once in a thousand times.
LEAST = 0.9
E_INF, A, B = 0.05, 0.1, 0.4
X_REF = 1e7
# Within the sizes, at their end, and extrapolated.
PLACES = (1e7, 1e8, 4e8)

# (sizes, seeds a size, log noise of a run, log scatter between sizes)
SETTINGS = [(6, 3, 0.05, 0.0), (5, 3, 0.02, 0.04), (6, 1, 0.05, 0.0)]


def truth(x):
    return E_INF + A * (np.asarray(x) / X_REF) ** -B


def study(number, sizes, seeds, noise, scatter):
    """The runs of one study, (x, error)."""
    random = np.random.default_rng([number, sizes, seeds])
    x = np.repeat(np.geomspace(1e6, 1e8, sizes), seeds)
    log_error = noise * random.standard_normal(len(x))
    log_error += np.repeat(scatter * random.standard_normal(sizes), seeds)
    return x, truth(x) * np.exp(log_error)


@functools.cache
def laws(setting):
    return [fit(*study(i, *setting), floor=1e-6, seed=i, resamples=79) for i in range(STUDIES)]


def held(law, level):
    """Whether the intervals of e_inf, b and the curve hold the truth."""
    samples = np.concatenate([law.samples[:, [0, 2]], law.curves(PLACES)], 1)
    low, high = interval(samples, level)
    return (low <= [E_INF, B, *truth(PLACES)]) & ([E_INF, B, *truth(PLACES)] <= high)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("setting", SETTINGS)
def test_intervals_of_95_percent_hold_the_truth_about_95_times_in_100(setting):
    share = np.mean([held(law, 0.95) for law in laws(setting)], 0)
    assert (share >= LEAST).all(), share


@pytest.mark.nightly
def test_intervals_of_half_are_about_half_right():
    """An interval may not hold the truth by being too wide to say anything."""
    share = np.mean([held(law, 0.5) for law in laws((6, 1, 0.05, 0.0))], 0)
    assert (share >= 0.4).all() and (share <= 0.62).all(), share


def test_intervals_of_a_law_are_those_of_its_samples():
    law = laws(SETTINGS[0])[0]
    assert law.level == 0.95
    low, high = law.band(PLACES)
    np.testing.assert_array_equal([low, high], interval(law.curves(PLACES), 0.95))
    np.testing.assert_array_equal(law.intervals["b"], interval(law.samples[:, 2], 0.95))


@pytest.mark.representatives(1)
@pytest.mark.parametrize("setting", SETTINGS)
def test_the_difference_of_equal_laws_is_held_about_95_times_in_100(setting):
    found = laws(setting)
    differences = [difference(one, other, 1e8) for one, other in zip(found, found[1:] + found[:1])]
    assert np.mean([d.interval[0] <= 0 <= d.interval[1] for d in differences]) >= LEAST
    assert np.mean([0.025 <= d.sure <= 0.975 for d in differences]) >= LEAST


@pytest.mark.nightly
def test_held_out_sizes_lie_within_their_intervals_about_95_times_in_100():
    setting = (6, 3, 0.05, 0.02)
    found = [hold_out(*study(i, *setting), floor=1e-6, seed=i, resamples=79)[1] for i in range(STUDIES)]
    made = [prediction for predictions in found for prediction in predictions]
    assert len(made) > 0.9 * STUDIES, "few smaller sizes leave open whether the error falls at all"
    assert all(prediction.runs == 3 for prediction in made)
    assert np.mean([prediction.held for prediction in made]) >= LEAST
