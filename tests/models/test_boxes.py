"""Geometry equals NumPy's loops, and a box that is encoded is decoded to itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.models.boxes import LARGEST_FACTOR, area, clip, decode, encode, iou_matrix


def random_boxes(count, seed, side=100.0):
    start, stop = np.sort(np.random.default_rng(seed).uniform(0, side, (2, count, 2)), 0)
    return np.concatenate([start, stop], -1).astype(np.float32)


def test_iou_of_every_pair_is_that_of_pixels_counted_by_hand():
    one, other = np.array([[0, 0, 2, 2], [0, 0, 4, 1]]), np.array([[1, 1, 3, 3], [0, 0, 2, 2], [5, 5, 5, 5]])
    expected = [[1 / 7, 1.0, 0.0], [0.0, 2 / 6, 0.0]]
    np.testing.assert_allclose(jax.jit(iou_matrix)(np.float32(one), np.float32(other)), expected, 1e-6)


def test_boxes_without_area_overlap_nothing():
    point, crossed = jnp.array([[1.0, 1, 1, 1]]), jnp.array([[3.0, 3, 1, 1]])
    assert area(crossed)[0] == 0 and iou_matrix(point, point)[0, 0] == 0


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)])
def test_decoding_undoes_encoding(weights):
    boxes, anchors = random_boxes(20, 0), random_boxes(20, 1)
    found = jax.jit(lambda boxes: decode(encode(boxes, anchors, weights), anchors, weights))(boxes)
    sides = (boxes[:, 2:] - boxes[:, :2]) / (anchors[:, 2:] - anchors[:, :2])
    usual = np.all(sides < LARGEST_FACTOR, -1)
    assert usual.sum() > 15
    np.testing.assert_allclose(found[usual], boxes[usual], atol=1e-3)


def test_a_wild_offset_gives_a_large_finite_box():
    found = decode(jnp.full((1, 4), 1e4), jnp.array([[0.0, 0, 2, 2]]))
    assert np.isfinite(found).all() and found[0, 2] - found[0, 0] == pytest.approx(2 * LARGEST_FACTOR, 1e-3)


def test_clipping_cuts_at_the_borders():
    np.testing.assert_array_equal(clip(jnp.array([-1.0, 2, 9, 9]), height=4, width=6), [0, 2, 6, 4])
