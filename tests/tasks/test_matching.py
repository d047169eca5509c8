"""Anchors take boxes by their overlap, by the rules of RetinaNet and SSD; hard negatives are the hardest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.tasks.matching import BACKGROUND, FORCED, IGNORED, LOW_QUALITY, NOTHING, Matcher, hard_negatives

B, X = BACKGROUND, IGNORED
# IoU of three boxes, the last one padding, with six anchors; the second box overlaps none by half
OVERLAPS = np.array(
    [[0.9, 0.6, 0.45, 0.1, 0.0, 0.3], [0.2, 0.0, 0.1, 0.35, 0.0, 0.35], [1.0] * 6], np.float32
)
REAL = np.array([True, True, False])


@pytest.mark.parametrize(
    "low, rescue, expected",
    [
        (0.4, NOTHING, [0, 0, X, B, B, B]),
        (0.4, LOW_QUALITY, [0, 0, X, 1, B, 1]),  # both of the second box's best, which are equal
        (0.5, FORCED, [0, 0, B, 1, B, B]),  # the first of them alone
    ],
)
def test_anchors_take_what_the_rules_give_them(low, rescue, expected):
    found = jax.jit(Matcher(low, 0.5, rescue))(OVERLAPS, REAL)
    np.testing.assert_array_equal(found, expected)


def test_a_low_quality_anchor_takes_what_it_overlaps_most_a_forced_one_what_wants_it():
    overlaps = jnp.asarray([[0.9, 0.2], [0.3, 0.1]])
    real = jnp.array([True, True])
    np.testing.assert_array_equal(jax.jit(Matcher(0.4, 0.5, LOW_QUALITY))(overlaps, real), [0, B])
    np.testing.assert_array_equal(jax.jit(Matcher(0.5, 0.5, FORCED))(overlaps, real), [1, B])


@pytest.mark.parametrize("rescue", [NOTHING, LOW_QUALITY, FORCED])
def test_without_boxes_or_overlap_all_is_background(rescue):
    matcher = jax.jit(Matcher(0.4, 0.5, rescue))
    for overlaps, real in ((OVERLAPS, [False] * 3), (np.zeros((3, 6), np.float32), [True] * 3)):
        np.testing.assert_array_equal(matcher(overlaps, np.array(real)), [B] * 6)


@pytest.mark.parametrize("positives", [0, 1, 2])
def test_hard_negatives_are_three_for_each_positive_and_never_none(positives):
    loss = np.random.default_rng(0).permutation(12).astype(np.float32)
    positive, candidate = np.arange(12) < positives, np.arange(12) >= 2
    found = np.asarray(jax.jit(hard_negatives)(loss, positive, candidate))
    expected = sorted(np.flatnonzero(candidate), key=lambda i: -loss[i])[: 3 * max(1, positives)]
    assert sorted(np.flatnonzero(found)) == sorted(expected)
