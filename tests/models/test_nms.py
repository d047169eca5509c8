"""Suppression equals a loop in NumPy, a class at a time."""

import jax
import numpy as np
import pytest

from scaling.models.boxes import iou_matrix
from scaling.models.nms import nms, soft_nms

COUNT, CLASSES = 60, 3


@pytest.fixture(scope="module", params=[0, 1, 2])
def scene(request):
    """Overlapping boxes, scores of which some are equal and some are -inf, classes, IoU of all pairs."""
    rng = np.random.default_rng(request.param)
    start = rng.uniform(0, 50, (COUNT, 2))
    boxes = np.concatenate([start, start + rng.uniform(5, 40, (COUNT, 2))], -1).astype(np.float32)
    scores = np.round(rng.uniform(0.05, 1, COUNT), 1).astype(np.float32)
    scores[::9] = -np.inf
    return boxes, scores, rng.integers(0, CLASSES, COUNT), np.asarray(jax.jit(iou_matrix)(boxes, boxes))


def test_greedy_suppression_is_numpys_loop(scene):
    boxes, scores, classes, overlaps = scene
    kept = np.zeros(COUNT, bool)
    for i in np.argsort(-scores, kind="stable"):
        rivals = kept & (classes == classes[i]) & (overlaps[i] > 0.5)
        kept[i] = scores[i] > -np.inf and not rivals.any()
    found = jax.jit(nms, static_argnums=3)(boxes, scores, classes, 0.5)
    np.testing.assert_array_equal(found, kept)
    assert 0 < kept.sum() < np.isfinite(scores).sum()


def test_soft_suppression_is_numpys_loop(scene):
    boxes, scores, classes, overlaps = scene
    expected, left = scores.astype(np.float64), set(np.flatnonzero(np.isfinite(scores)))
    while left:
        best = min(left, key=lambda i: (-expected[i], i))
        left.remove(best)
        for i in left:
            if classes[i] == classes[best]:
                expected[i] *= np.exp(-(overlaps[best, i] ** 2) / 0.5)
    np.testing.assert_allclose(jax.jit(soft_nms)(boxes, scores, classes), expected, 1e-4)


def test_one_image_of_several_does_not_see_the_others(scene):
    boxes, scores, classes, _ = scene
    one = lambda b, s, c: nms(b, s, c, 0.5)
    found = jax.jit(jax.vmap(one))(*(np.stack([a, a[::-1]]) for a in (boxes, scores, classes)))
    np.testing.assert_array_equal(found[0], jax.jit(one)(boxes, scores, classes))
