"""Geometry of boxes (x1, y1, x2, y2), last axis 4, and how a box is told by its offset from an anchor."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

# The most times an anchor's side that a box may have, so that an untrained network overflows nothing
LARGEST_FACTOR = 1000 / 16


def area(boxes) -> jax.Array:
    """Return width times height; 0 of a box whose corners are crossed."""
    return _product(boxes[..., :2], boxes[..., 2:])


def intersection(one, other) -> jax.Array:
    """Return the area that pairs of boxes share; leading axes are broadcast."""
    start = jnp.maximum(one[..., :2], other[..., :2])
    stop = jnp.minimum(one[..., 2:], other[..., 2:])
    return _product(start, stop)


def iou_matrix(one_n4, other_m4) -> jax.Array:
    """Return the intersection over union of every pair, (n, m); 0 where both boxes have no area."""
    shared = intersection(one_n4[:, None], other_m4[None])
    union = area(one_n4)[:, None] + area(other_m4)[None] - shared
    return jnp.where(union > 0, shared / jnp.where(union > 0, union, 1.0), 0.0)


def encode(boxes, anchors, weights=(1.0, 1.0, 1.0, 1.0)) -> jax.Array:
    """Return (dx, dy, dw, dh) times `weights`: centres apart in anchors' sides, logs of the sides' ratios.

    Boxes and anchors must have an area. Source: arXiv 1311.2524 appendix C.
    """
    (centre, size), (from_centre, from_size) = _centred(boxes), _centred(anchors)
    deltas = jnp.concatenate([(centre - from_centre) / from_size, jnp.log(size / from_size)], -1)
    return deltas * jnp.asarray(weights, jnp.float32)


def decode(deltas, anchors, weights=(1.0, 1.0, 1.0, 1.0)) -> jax.Array:
    """Return the boxes that `encode` told; sides are at most `LARGEST_FACTOR` anchors' sides."""
    deltas = deltas / jnp.asarray(weights, jnp.float32)
    centre, size = _centred(anchors)
    centre = centre + deltas[..., :2] * size
    size = size * jnp.exp(jnp.minimum(deltas[..., 2:], math.log(LARGEST_FACTOR)))
    return jnp.concatenate([centre - size / 2, centre + size / 2], -1)


def clip(boxes, height: float, width: float) -> jax.Array:
    """Cut boxes at the borders of an image."""
    return jnp.clip(boxes, 0.0, jnp.asarray([width, height, width, height], jnp.float32))


def _product(start, stop):
    """The area between corners; XLA takes seconds to fold a reduction over constant anchors."""
    width, height = (jnp.maximum(stop[..., i] - start[..., i], 0.0) for i in (0, 1))
    return width * height


def _centred(boxes):
    """Centres and sides, (x, y) and (width, height)."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
