"""The batched solver finds the minima that scipy's finds one by one."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from scaling.laws.solver import MAX_EXPONENT, ROBUST_SCALE, evaluate, solve

LOG_X = np.linspace(-2.0, 2.0, 9)


def samples(noise, count=12):
    random = np.random.default_rng(0)
    truth = np.stack(
        [
            random.uniform(0, 0.1, count),
            np.log(random.uniform(0.02, 0.2, count)),
            random.uniform(0.1, 1, count),
        ],
        -1,
    )
    return truth, np.log(evaluate(truth, LOG_X)) + noise * random.standard_normal((count, len(LOG_X)))


@pytest.mark.parametrize("noise", [0.02, 0.1, 0.5])
def test_losses_are_no_worse_than_scipys(noise):
    start, log_y = samples(noise)
    _, losses = solve(LOG_X, log_y, start, free_asymptote=True)
    for target, first, loss in zip(log_y, start, losses):
        bounds = ([0, -50, 0], [np.exp(target.max()), 10, MAX_EXPONENT])
        oracle = least_squares(
            lambda theta, target=target: np.log(evaluate(theta[None], LOG_X))[0] - target,
            np.clip(first, *bounds), bounds=bounds, loss="soft_l1", f_scale=ROBUST_SCALE,
        )  # fmt: skip
        assert loss <= oracle.cost / ROBUST_SCALE**2 * (1 + 1e-3) + 1e-6


def test_without_noise_the_parameters_are_exact_from_elsewhere():
    truth, log_y = samples(noise=0.0)
    found, _ = solve(LOG_X, log_y, truth * [0.3, 1.1, 0.7], free_asymptote=True)
    np.testing.assert_allclose(evaluate(found, LOG_X), np.exp(log_y), rtol=1e-4)


def test_a_fixed_asymptote_stays_zero():
    truth, log_y = samples(noise=0.1)
    found, _ = solve(LOG_X, log_y, truth, free_asymptote=False)
    assert (found[:, 0] == 0).all() and (found[:, 2] >= 0).all()


def test_samples_do_not_touch_each_other():
    start, log_y = samples(noise=0.1)
    together, _ = solve(LOG_X, log_y, start, free_asymptote=True)
    alone, _ = solve(LOG_X, log_y[3:4], start[3:4], free_asymptote=True)
    np.testing.assert_allclose(together[3], alone[0], rtol=1e-6, atol=1e-9)
