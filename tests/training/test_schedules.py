"""Each schedule equals its formula, written out here in plain Python."""

import math

import jax
import numpy as np
import pytest

from scaling.runs.spec import OptimizerSpec, ScheduleSpec
from scaling.training.schedules import build, drop_path_share, peak_rate

PER_EPOCH, TOTAL, PEAK = 10, 100, 0.8


def values(**fields):
    rate = build(ScheduleSpec(**fields), PEAK, TOTAL, PER_EPOCH)
    return np.array([rate(np.int32(step)) for step in range(TOTAL)])


def warmed(after):
    return [PEAK * step / 20 if step < 20 else after(step) for step in range(TOTAL)]


def test_cosine_from_the_end_of_the_warm_up_to_the_final_fraction():
    expected = warmed(lambda s: PEAK * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * (s - 20) / 80))))
    np.testing.assert_allclose(values(name="cosine", warmup="2 epochs", final=0.1), expected, 1e-5)


def test_efficientnet_staircase_counts_from_step_0():
    expected = warmed(lambda s: PEAK * 0.97 ** (s // 24))
    np.testing.assert_allclose(values(name="exponential", warmup="20 steps"), expected, 1e-5)


@pytest.mark.parametrize("every", [41, 47, 55, 61, 97])
def test_a_staircase_is_never_late(every):
    """At these lengths a compiled quotient of floats, as in optax, falls below the whole number."""
    rate = jax.jit(build(ScheduleSpec(name="exponential", factor=0.5, every=f"{every} steps"), 1.0, 2000, 10))
    for stairs in range(1, 2000 // every):
        assert rate(stairs * every) == 0.5**stairs and rate(stairs * every - 1) == 0.5 ** (stairs - 1)


def test_step_multiplies_at_each_boundary():
    expected = warmed(lambda s: PEAK * 0.1 ** ((s >= 30) + (s >= 75)))
    found = values(name="step", factor=0.1, boundaries=("3 epochs", "75 steps"), warmup="2 epochs")
    np.testing.assert_allclose(found, expected, 1e-5)


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_poly_is_a_power_of_what_is_left_of_training(power):
    expected = warmed(lambda s: PEAK * (1 - s / TOTAL) ** power)
    np.testing.assert_allclose(values(name="poly", power=power, warmup="2 epochs"), expected, 1e-5)


def test_caffes_step_policy_is_our_staircase():
    """base_lr * gamma ** floor(iteration / stepsize): BVLC/caffe src/caffe/solvers/sgd_solver.cpp."""
    expected = [PEAK * 0.96 ** (s // 32) for s in range(TOTAL)]
    np.testing.assert_allclose(values(name="exponential", factor=0.96, every="32 steps"), expected, 1e-5)


def test_drop_path_rates_grow_from_nothing_to_all():
    assert drop_path_share(ScheduleSpec(), TOTAL) is None
    share = drop_path_share(ScheduleSpec(drop_path="linear"), TOTAL)
    assert [float(share(np.int32(step))) for step in (0, 25, 100, 130)] == [0.0, 0.25, 1.0, 1.0]


def test_constant():
    np.testing.assert_allclose(values(name="constant"), PEAK, 1e-6)


def test_peak_is_linear_in_the_global_batch_unless_told_otherwise():
    assert peak_rate(OptimizerSpec(lr=0.1, lr_batch=256), 1024) == pytest.approx(0.4)
    assert peak_rate(OptimizerSpec(lr=0.1, lr_batch=0), 1024) == 0.1


def test_a_warm_up_longer_than_the_training_is_refused():
    with pytest.raises(ValueError, match="warmup.*'11 epochs' is 110 steps.*100 steps"):
        build(ScheduleSpec(warmup="11 epochs"), PEAK, TOTAL, PER_EPOCH)
