"""What a predicted box is off by: smooth L1 of its offsets, and the losses of its overlap with the truth.

Each loss of `IOU_LOSSES` takes pairs of boxes (..., 4), the truth second, and gives (...); all are 0 where
the boxes are equal, and have finite gradients also where they are apart or have no area."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax

from scaling.models.boxes import area, decode, encode, intersection

EPSILON = 1e-7
ALPHA = 3.0  # the power of alpha-IoU
SHAPE_POWER = 4  # theta of SIoU


def smooth_l1(deltas, truth_deltas, beta: float) -> jax.Array:
    """Return |difference|, quadratic below `beta`, summed over the last axis."""
    return jnp.sum(optax.losses.huber_loss(deltas, truth_deltas, delta=beta), -1) / beta


def iou(boxes, truth) -> jax.Array:
    """Return 1 - IoU."""
    return 1 - _iou(boxes, truth)


def giou(boxes, truth) -> jax.Array:
    """Generalised IoU: also the part of the enclosing box that neither fills (arXiv 1902.09630)."""
    shared = intersection(boxes, truth)
    union = area(boxes) + area(truth) - shared
    hull = jnp.prod(_hull(boxes, truth), -1)
    return 1 - _ratio(shared, union) + _ratio(hull - union, hull)


def diou(boxes, truth) -> jax.Array:
    """Distance IoU: also the centres' distance over the enclosing diagonal (arXiv 1911.08287)."""
    return iou(boxes, truth) + _distance(boxes, truth)


def ciou(boxes, truth) -> jax.Array:
    """Complete IoU: DIoU and the difference of the aspects' angles (arXiv 1911.08287)."""
    (w, h), (true_w, true_h) = _sides(boxes), _sides(truth)
    angle = lambda w, h: jnp.arctan2(w, jnp.maximum(h, EPSILON))
    v = 4 / jnp.pi**2 * jnp.square(angle(true_w, true_h) - angle(w, h))
    loss = iou(boxes, truth)
    alpha = jax.lax.stop_gradient(_ratio(v, loss + v))
    return loss + _distance(boxes, truth) + alpha * v


def eiou(boxes, truth) -> jax.Array:
    """Efficient IoU: DIoU and the sides' differences over the enclosing sides (arXiv 2101.08158)."""
    sides = jnp.stack(_sides(boxes), -1) - jnp.stack(_sides(truth), -1)
    return diou(boxes, truth) + jnp.sum(_ratio(sides**2, _hull(boxes, truth) ** 2), -1)


def alpha_iou(boxes, truth) -> jax.Array:
    """1 - IoU**3 (arXiv 2110.13675)."""
    return 1 - _iou(boxes, truth) ** ALPHA


def siou(boxes, truth) -> jax.Array:
    """SCYLLA IoU: distance, which counts less off the axes, and shape (arXiv 2205.12740)."""
    apart = _apart(boxes, truth)
    # sin(2 a) of the angle a of the line between the centres: 1 - 2 sin(arcsin(x) - pi / 4)**2 in the paper
    slant = _ratio(2 * jnp.abs(apart[..., 0] * apart[..., 1]), jnp.sum(apart**2, -1))
    relative = _ratio(apart**2, _hull(boxes, truth) ** 2)
    distance = jnp.sum(1 - jnp.exp(-(2 - slant)[..., None] * relative), -1)
    sides, true_sides = jnp.stack(_sides(boxes), -1), jnp.stack(_sides(truth), -1)
    unlike = _ratio(jnp.abs(sides - true_sides), jnp.maximum(sides, true_sides))
    shape = jnp.sum((1 - jnp.exp(-unlike)) ** SHAPE_POWER, -1)
    return iou(boxes, truth) + (distance + shape) / 2


def wiou(boxes, truth) -> jax.Array:
    """Wise IoU, its first version, which keeps no state: 1 - IoU by how far the centres are apart
    (arXiv 2301.10051)."""
    diagonal = jax.lax.stop_gradient(jnp.sum(_hull(boxes, truth) ** 2, -1))
    return jnp.exp(_ratio(jnp.sum(_apart(boxes, truth) ** 2, -1), diagonal)) * iou(boxes, truth)


IOU_LOSSES: dict[str, Callable[..., jax.Array]] = {
    loss.__name__: loss for loss in (iou, giou, diou, ciou, eiou, alpha_iou, siou, wiou)
}


def off_by(deltas, truth, anchors, weights: Sequence[float], loss: str, beta: float) -> jax.Array:
    """Return how far each box, told by its offset from an anchor, is from the truth.

    `loss` is "smooth_l1", linear from offsets of `beta` on, or a name of `IOU_LOSSES`; `weights` are those of
    `encode`.
    """
    if loss == "smooth_l1":
        return smooth_l1(deltas, encode(truth, anchors, weights), beta)
    return IOU_LOSSES[loss](decode(deltas, anchors, weights), truth)


def _iou(boxes, truth):
    shared = intersection(boxes, truth)
    return _ratio(shared, area(boxes) + area(truth) - shared)


def _distance(boxes, truth):
    return _ratio(jnp.sum(_apart(boxes, truth) ** 2, -1), jnp.sum(_hull(boxes, truth) ** 2, -1))


def _apart(boxes, truth):
    """How far the centres are apart, (x, y)."""
    return (boxes[..., :2] + boxes[..., 2:] - truth[..., :2] - truth[..., 2:]) / 2


def _hull(boxes, truth):
    """Sides of the smallest box that holds both."""
    stop = jnp.maximum(boxes[..., 2:], truth[..., 2:])
    return jnp.maximum(stop - jnp.minimum(boxes[..., :2], truth[..., :2]), 0.0)


def _sides(boxes):
    """Width and height; 0 where corners are crossed."""
    sides = jnp.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    return sides[..., 0], sides[..., 1]


def _ratio(part, whole):
    """part / whole, with a finite gradient where the whole is 0."""
    return part / jnp.maximum(whole, EPSILON)
