"""Losses of embeddings of length 1: of pairs and triplets in a batch, and of softmaxes with a margin.

Those of `OF_PAIRS` take (vectors (n, d) and labels (n,) of anchors, the same of all examples, margin), those
of `OF_CLASSES` what a network answers, labels, margin and scale; all give a loss an anchor, (n,)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

LEAST = 1e-6  # of a square whose root is taken
FAR = 4.0  # beyond any distance on the unit sphere, and a margin


def triplet(anchors_bd, label_b, all_nd, label_n, margin: float):
    """How much further the furthest example of the class is than the nearest other, and the margin.

    Distances are not squared, whose gradient would vanish where all vectors are alike (arXiv 1703.07737
    section 3); FaceNet's are (1503.03832 section 3.1).
    """
    distance_bn = _distances(anchors_bd, all_nd)
    same_bn = label_b[:, None] == label_n[None]
    furthest_b = jnp.max(jnp.where(same_bn, distance_bn, 0.0), 1)
    nearest_b = jnp.min(jnp.where(same_bn, FAR, distance_bn), 1)
    return jnp.maximum(margin + furthest_b - nearest_b, 0.0)


def contrastive(anchors_bd, label_b, all_nd, label_n, margin: float):
    """Mean squared distance to examples of the class, and mean square of what others lack to the margin.

    Source: R. Hadsell, S. Chopra and Y. LeCun, CVPR 2006, equation 4, over all pairs of a batch."""
    distance_bn = _distances(anchors_bd, all_nd)
    same_bn = label_b[:, None] == label_n[None]
    lack_bn = jnp.maximum(margin - distance_bn, 0.0)
    return _mean_where(same_bn, jnp.square(distance_bn)) + _mean_where(~same_bn, jnp.square(lack_bn))


def softmax(outputs, label_b, margin: float, scale: float):
    """The cross-entropy of the products, without margin or scale."""
    del margin, scale
    return _cross_entropy(outputs["logits"], label_b)


def sphereface(outputs, label_b, margin: float, scale: float):
    """The angle to the own class counts `margin` times (arXiv 1704.08063 section 3.2), continued where that
    exceeds pi. The paper has the vector's length in the scale's place."""

    def widened(cosine_b):
        angle_b = margin * jnp.arccos(jnp.clip(cosine_b, -1 + 1e-6, 1 - 1e-6))
        turns_b = jax.lax.stop_gradient(jnp.floor(angle_b / jnp.pi))
        return jnp.where(turns_b % 2 == 0, 1.0, -1.0) * jnp.cos(angle_b) - 2 * turns_b

    return _with_own(outputs, label_b, widened, scale)


def cosface(outputs, label_b, margin: float, scale: float):
    """The own cosine counts less by the margin (arXiv 1801.09414 section 3.1)."""
    return _with_own(outputs, label_b, lambda cosine_b: cosine_b - margin, scale)


def arcface(outputs, label_b, margin: float, scale: float):
    """The angle to the own class counts more by the margin (arXiv 1801.07698 section 2.1).

    Beyond pi, where the cosine would rise again, it goes on as a line, as the authors' code does."""

    def turned(cosine_b):
        sine_b = jnp.sqrt(jnp.maximum(1 - jnp.square(cosine_b), LEAST))
        beyond_b = cosine_b <= jnp.cos(jnp.pi - margin)
        turned_b = cosine_b * jnp.cos(margin) - sine_b * jnp.sin(margin)
        return jnp.where(beyond_b, cosine_b - margin * jnp.sin(margin), turned_b)

    return _with_own(outputs, label_b, turned, scale)


OF_PAIRS: dict[str, Callable[..., Any]] = {loss.__name__: loss for loss in (triplet, contrastive)}
OF_CLASSES: dict[str, Callable[..., Any]] = {
    loss.__name__: loss for loss in (softmax, sphereface, cosface, arcface)
}
# The papers'; of SphereFace the one without annealing that arXiv 1801.07698 compares with
MARGINS = {
    "triplet": 0.2,
    "contrastive": 1.0,
    "softmax": 0.0,
    "sphereface": 1.35,
    "cosface": 0.35,
    "arcface": 0.5,
}


def _distances(one_bd, other_nd):
    """Distances of vectors of length 1, (b, n); their gradient is finite."""
    return jnp.sqrt(jnp.maximum(2 - 2 * one_bd @ other_nd.T, LEAST))


def _mean_where(chosen_bn, values_bn):
    return jnp.sum(jnp.where(chosen_bn, values_bn, 0.0), 1) / jnp.maximum(jnp.sum(chosen_bn, 1), 1)


def _with_own(outputs, label_b, changed: Callable[[Any], Any], scale: float):
    """The cross-entropy of cosines times the scale, the own class's being changed first."""
    cosines_bk = outputs["cosines"]
    own_bk = jax.nn.one_hot(label_b, cosines_bk.shape[-1], dtype=bool)
    cosine_b = jnp.take_along_axis(cosines_bk, label_b[:, None], 1)[:, 0]
    return _cross_entropy(scale * jnp.where(own_bk, changed(cosine_b)[:, None], cosines_bk), label_b)


def _cross_entropy(logits_bk, label_b):
    return optax.losses.softmax_cross_entropy_with_integer_labels(logits_bk, label_b)
