"""A known law is found again, and few points are not made more of; test_coverage tries the intervals."""

import numpy as np
import pytest

from scaling.laws.power import NoLaw, fit

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
    ("sizes", "repeats", "why"),
    [
        (0, 1, "two sizes"),
        (1, 3, "two sizes"),
        (2, 1, "nothing to judge"),
        (2, 2, ""),
        (3, 1, ""),
        (4, 1, ""),
    ],
)
def test_few_sizes_give_no_more_than_they_hold(sizes, repeats, why):
    x = np.repeat(SIZES[:sizes], repeats)
    law = fit(x, noisy(x, 0.02, 0), floor=1e-6, resamples=10)
    if why:
        assert isinstance(law, NoLaw) and why in law.why
    else:
        assert law.saturating == (sizes >= 4) and (law.e_inf == 0 or law.saturating)
        assert len(law.samples) == 10 and set(law.intervals) == {"e_inf", "a", "b"}


@pytest.mark.parametrize("sizes", [3, 6])
def test_an_error_that_falls_off_a_cliff_has_no_law(sizes):
    error = np.where(np.arange(sizes) < 1, 0.9, 0.1)
    law = fit(X_REF * np.geomspace(0.9, 1.1, sizes), error, floor=1e-6)
    assert isinstance(law, NoLaw) and "steeply" in law.why


@pytest.mark.parametrize("sizes", [2, 8])
def test_an_error_that_rises_has_no_law(sizes):
    x = SIZES[:sizes]
    law = fit(np.repeat(x, 2), 0.1 * (np.repeat(x, 2) / X_REF) ** 0.3, floor=1e-6)
    assert isinstance(law, NoLaw) and "does not fall" in law.why


def test_a_perfect_score_counts_as_the_floor():
    law = fit([1e6, 1e6, 1e7, 1e7], [0.1, 0.1, 0.0, 0.0], floor=0.01)
    np.testing.assert_allclose(law.error([1e7]), [0.01], rtol=1e-3)


def test_uncounted_runs_are_an_error():
    with pytest.raises(ValueError, match="above 0"):
        fit([0, 1e6], [0.1, 0.2], floor=1e-6)
