"""The large sizes are predicted from the small ones alone."""

import numpy as np
import pytest

from scaling.laws.holdout import Prediction, hold_out
from scaling.laws.power import fit

SIZES = np.geomspace(1e6, 1e8, 6)


def error(x):
    return 0.05 + 0.1 * (np.asarray(x) / 1e7) ** -0.4


def test_a_law_without_noise_is_extrapolated_exactly():
    law, predictions = hold_out(SIZES, error(SIZES), floor=1e-6, largest=2)
    assert law.sizes == 4 and law.largest == pytest.approx(SIZES[3])
    np.testing.assert_allclose([p.x for p in predictions], SIZES[4:])
    np.testing.assert_allclose([p.predicted for p in predictions], error(SIZES[4:]), rtol=1e-3)


def test_what_is_held_out_does_not_touch_the_fit():
    y = error(SIZES) * np.exp(0.03 * np.random.default_rng(0).standard_normal(6))
    other = np.where(SIZES > 9e7, 0.9, y)
    predictions = [hold_out(SIZES, values, floor=1e-6)[1][0] for values in (y, other)]
    assert predictions[0].predicted == predictions[1].predicted
    assert predictions[0].interval == predictions[1].interval
    assert predictions[0].held and predictions[1].held is False
    assert predictions[1].miss == pytest.approx(0.9 - predictions[1].predicted)


def test_the_interval_is_of_the_observed_mean_and_so_wider_than_the_laws():
    x = np.repeat(SIZES, 4)
    y = error(x) * np.exp(0.1 * np.random.default_rng(0).standard_normal(len(x)))
    law, (prediction,) = hold_out(x, y, floor=1e-6)
    same = fit(x[:20], y[:20], floor=1e-6)
    np.testing.assert_array_equal(law.samples, same.samples)
    (low,), (high,) = law.band([SIZES[-1]])
    assert prediction.interval[1] - prediction.interval[0] > high - low
    assert prediction.observed == pytest.approx(np.exp(np.log(y[20:]).mean()))


def test_two_points_predict_nothing():
    law, predictions = hold_out(SIZES[:3], error(SIZES[:3]), floor=1e-6)
    assert predictions == [] and "nothing to judge" in law.why


def test_no_prediction_where_the_small_sizes_do_not_improve():
    law, predictions = hold_out(np.repeat(SIZES[:3], 2), [0.1, 0.1, 0.2, 0.2, 0.1, 0.1], floor=1e-6)
    assert predictions == [] and "does not fall" in law.why


@pytest.mark.parametrize(("sizes", "largest"), [(2, 1), (4, 3), (4, 0)])
def test_too_few_sizes_are_an_error(sizes, largest):
    with pytest.raises(ValueError, match="leave 2"):
        hold_out(SIZES[:sizes], error(SIZES[:sizes]), floor=1e-6, largest=largest)


def test_ends_of_an_interval_belong_to_it():
    assert Prediction(1.0, 1, 0.2, (0.1, 0.3), 0.3).held
