"""Losses of boxes: 0 at the truth, the papers' values by hand, finite gradients wherever a box may lie."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from scaling.runs.spec import CHOICES
from scaling.tasks.box_losses import IOU_LOSSES, smooth_l1

TRUTH = [10.0, 10.0, 30.0, 20.0]
LOSSES = pytest.mark.parametrize("loss", IOU_LOSSES.values(), ids=IOU_LOSSES)


def test_a_config_may_name_each():
    assert CHOICES["train", "box_loss"] == ("smooth_l1", *IOU_LOSSES)


@LOSSES
def test_it_is_0_at_the_truth_and_grows_with_the_distance(loss):
    moved = jnp.asarray(TRUTH) + jnp.arange(0.0, 5.0)[:, None] * jnp.asarray([1.0, 1.0, 1.0, 1.0])
    found = jax.jit(loss)(moved, jnp.asarray(TRUTH))
    assert found[0] == pytest.approx(0, abs=1e-6) and np.all(np.diff(found) > 0)


@pytest.mark.representatives(4)
@LOSSES
def test_its_gradient_is_finite_for_boxes_apart_and_without_area(loss):
    boxes = [[50, 50, 60, 60], [12, 12, 12, 12], [10, 10, 30, 10], [40, 40, 20, 20], TRUTH, [12, 12, 13, 13]]
    gradients = jax.jit(jax.grad(lambda b, t: jnp.sum(loss(b, t)), (0, 1)))
    for truth in (TRUTH, [12, 12, 12, 12]):
        grads = gradients(np.float32(boxes), np.float32(truth))
        assert all(np.isfinite(g).all() for g in grads)


def by_hand(name):
    """The loss of 10 10 20 30 against TRUTH: IoU 100 of 300, a hull of 20 by 20, centres 5 and 5 apart."""
    iou, distance = 100 / 300, 50 / 800
    v = 4 / np.pi**2 * (np.arctan(2.0) - np.arctan(0.5)) ** 2
    shape = 2 * (1 - np.exp(-0.5)) ** 4
    return {
        "iou": 1 - iou,
        "giou": 1 - iou + 100 / 400,
        "diou": 1 - iou + distance,
        "ciou": 1 - iou + distance + v * v / (1 - iou + v),
        "eiou": 1 - iou + distance + 2 * 100 / 400,
        "alpha_iou": 1 - iou**3,
        "siou": 1 - iou + (2 * (1 - np.exp(-(2 - np.sin(np.pi / 2)) * 25 / 400)) + shape) / 2,
        "wiou": np.exp(distance) * (1 - iou),
    }[name]


@pytest.mark.parametrize("name", IOU_LOSSES)
def test_it_is_the_papers_formula(name):
    found = jax.jit(IOU_LOSSES[name])(np.float32([10, 10, 20, 30]), np.float32(TRUTH))
    assert found == pytest.approx(by_hand(name), rel=1e-5)


def test_smooth_l1_is_linear_beyond_beta():
    found = smooth_l1(jnp.array([[0.05, 0, 0, 0], [3, -2, 0, 0]]), jnp.zeros(4), beta=0.1)
    np.testing.assert_allclose(found, [0.05**2 / 0.2, 5 - 2 * 0.05], 1e-5)


def test_focal_loss_is_weighted_cross_entropy_at_gamma_0_and_the_papers_formula_at_2():
    logits = np.random.default_rng(0).normal(size=40).astype(np.float32) * 4
    targets = (np.arange(40) % 3 == 0).astype(np.float32)
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    of_truth, alpha = np.where(targets == 1, p, 1 - p), np.where(targets == 1, 0.25, 0.75)
    for gamma in (0.0, 2.0):
        found = jax.jit(optax.losses.sigmoid_focal_loss)(logits, targets, alpha=0.25, gamma=gamma)
        expected = -alpha * (1 - of_truth) ** gamma * np.log(of_truth)
        np.testing.assert_allclose(found, expected, 1e-3, 1e-6)
