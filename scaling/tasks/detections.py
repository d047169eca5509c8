"""What a detector says is there: the best boxes of each image, after suppression, a fixed number of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from scaling.models.boxes import clip
from scaling.models.nms import nms, soft_nms
from scaling.runs.spec import TrainSpec

CANDIDATES, DETECTIONS = 500, 100  # of an image, before and after suppression


class Detections(NamedTuple):
    """The best of each image first: boxes (n, d, 4) in pixels, scores (n, d), classes (n, d) from 0; a score
    of 0 and class -1 where there are no more."""

    boxes: Any
    scores: Any
    classes: Any


def best_of(
    scores_bk, box_of: Callable[[Any, Any], Any], height: int, width: int, spec: TrainSpec
) -> Detections:
    """Return the best of one image, of scores (boxes, classes) of which those that are -inf do not count.

    `box_of(index_c, class_c)` are the boxes (c, 4) that go with some of the scores. `spec` has `least_score`,
    `most_overlap` and `suppression`.
    """
    classes = scores_bk.shape[-1]
    flat = jnp.where(scores_bk > spec.least_score, scores_bk, -jnp.inf).ravel()
    scores_c, place_c = jax.lax.top_k(flat, min(CANDIDATES, flat.size))
    index_c, class_c = place_c // classes, place_c % classes
    boxes_c4 = clip(box_of(index_c, class_c), height, width)
    if spec.suppression == "soft":
        scores_c = soft_nms(boxes_c4, scores_c, class_c)
        kept_c = scores_c > spec.least_score
    else:
        kept_c = nms(boxes_c4, scores_c, class_c, spec.most_overlap)
    scores_d, best_d = jax.lax.top_k(jnp.where(kept_c, scores_c, -jnp.inf), min(DETECTIONS, len(kept_c)))
    found_d = scores_d > -jnp.inf
    return Detections(
        boxes_c4[best_d], jnp.where(found_d, scores_d, 0.0), jnp.where(found_d, class_c[best_d], -1)
    )
