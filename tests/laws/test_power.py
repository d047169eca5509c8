"""A known law is found again, and few points are not made more of; test_coverage tries the intervals."""

import numpy as np
import pytest

from scaling.laws.power import fit

TRUTH = {"e_inf": 0.05, "a": 0.1, "b": 0.4}
SIZES = np.geomspace(1e6, 1e8, 8)
X_REF = 1e7


def law_error(x, e_inf=TRUTH["e_inf"]):
    return e_inf + TRUTH["a"] * (x / X_REF) ** -TRUTH["b"]


def noisy(x, noise, seed):
    return law_error(x) * np.exp(noise * np.random.default_rng(seed).standard_normal(len(x)))


def test_without_noise_the_law_is_exact():
    law = fit(SIZES, law_error(SIZES), floor=1e-6)
    assert law is not None and law.saturating
    np.testing.assert_allclose([law.e_inf, law.a, law.b, law.x_ref], [*TRUTH.values(), X_REF], rtol=1e-3)
    np.testing.assert_allclose(law.error(SIZES), law_error(SIZES), rtol=1e-4)


def test_more_noise_gives_wider_intervals():
    widths = []
    for noise in (0.01, 0.2):
        low, high = fit(SIZES, noisy(SIZES, noise, 0), floor=1e-6, resamples=60).intervals["b"]
        widths.append(high - low)
    assert widths[1] > 3 * widths[0]


def test_the_bootstrap_is_a_function_of_its_seed():
    y = noisy(SIZES, 0.05, 0)
    one, same, other = (fit(SIZES, y, floor=1e-6, seed=seed, resamples=20) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.samples, same.samples)
    assert one.intervals == same.intervals != other.intervals
    assert (one.e_inf, one.a, one.b) == (other.e_inf, other.a, other.b)


def test_the_order_of_runs_does_not_matter():
    y, order = noisy(SIZES, 0.05, 0), np.random.default_rng(0).permutation(len(SIZES))
    straight, shuffled = fit(SIZES, y, 1e-6, resamples=2), fit(SIZES[order], y[order], 1e-6, resamples=2)
    np.testing.assert_allclose(straight.error(SIZES), shuffled.error(SIZES), rtol=1e-4)


def test_one_bad_run_does_not_bend_the_law():
    x = np.repeat(SIZES, 3)
    y = noisy(x, 0.02, 0)
    y[4] = 0.9
    np.testing.assert_allclose(fit(x, y, 1e-6, resamples=2).error(SIZES), law_error(SIZES), rtol=0.15)


@pytest.mark.parametrize(
    ("sizes", "repeats", "exists", "saturating", "has_interval"),
    [
        (0, 1, False, False, False),
        (1, 3, False, False, False),
        (2, 1, True, False, False),
        (2, 3, True, False, True),
        (3, 1, True, False, True),
        (4, 1, True, True, True),
    ],
)
def test_few_sizes_give_no_more_than_they_hold(sizes, repeats, exists, saturating, has_interval):
    x = np.repeat(SIZES[:sizes], repeats)
    law = fit(x, noisy(x, 0.02, 0), floor=1e-6, resamples=10)
    assert (law is not None) == exists
    if law is not None:
        assert law.saturating == saturating and (law.e_inf == 0 or saturating)
        assert (law.intervals is not None) == (law.band(x) is not None) == has_interval


@pytest.mark.parametrize("sizes", [2, 8])
def test_an_error_that_rises_has_no_law(sizes):
    x = SIZES[:sizes]
    assert fit(x, 0.1 * (x / X_REF) ** 0.3, floor=1e-6) is None


def test_a_perfect_score_counts_as_the_floor():
    law = fit([1e6, 1e7], [0.1, 0.0], floor=0.01)
    np.testing.assert_allclose(law.error([1e7]), [0.01], rtol=1e-3)


def test_uncounted_runs_are_an_error():
    with pytest.raises(ValueError, match="above 0"):
        fit([0, 1e6], [0.1, 0.2], floor=1e-6)
