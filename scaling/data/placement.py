"""Where an augmented image lies in the image it came from, so that masks and boxes move with it."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from scaling.data.augment import SLOTS, padded_place, random_box
from scaling.data.masks import VOID
from scaling.runs.spec import AugmentSpec


class Placement(NamedTuple):
    """The part of the source that is seen: corner and size (y, x) as fractions of it, then perhaps
    mirrored."""

    start_yx: jax.Array
    size_yx: jax.Array
    flipped: jax.Array


def placement(draws: jax.Array, augment: AugmentSpec, resolution: int) -> Placement:
    """Return what the crop and the flip of one example's draws do (`scaling.data.augment.train_images`)."""
    start_yx, size_yx = jnp.zeros(2), jnp.ones(2)
    if augment.crop == "resized":
        start_yx, size_yx = random_box(draws[SLOTS["crop"]], augment.area, augment.aspect)
    elif augment.crop == "pad":
        first_yx = padded_place(draws[SLOTS["crop"]][:2], augment.pad)
        start_yx = (first_yx - augment.pad) / resolution
    flipped = jnp.logical_and(augment.flip, draws[SLOTS["flip"]][0] < 0.5)
    return Placement(start_yx, size_yx, flipped)


def move_mask(mask_hw: jax.Array, placed: Placement, resolution: int, outside: int = VOID) -> jax.Array:
    """Return the nearest values, [resolution, resolution], to what the augmented image shows, and those
    `outside` of it."""
    out = (jnp.arange(resolution) + 0.5) / resolution
    across = jnp.where(placed.flipped, 1 - out, out)
    rows, inside_y = _nearest(placed.start_yx[0] + out * placed.size_yx[0], mask_hw.shape[0])
    columns, inside_x = _nearest(placed.start_yx[1] + across * placed.size_yx[1], mask_hw.shape[1])
    seen = mask_hw[rows][:, columns]
    return jnp.where(inside_y[:, None] & inside_x[None], seen, outside)


def move_boxes(boxes_m4: jax.Array, placed: Placement) -> tuple[jax.Array, jax.Array]:
    """Return boxes as the augmented image shows them, and the share of each one's area that it shows.

    Boxes are x1 y1 x2 y2 as fractions of the width and height, before and after; what lies outside is cut
    off. A box without an area shows 0 of it.
    """
    start = jnp.tile(placed.start_yx[::-1], 2)
    size = jnp.tile(placed.size_yx[::-1], 2)
    moved_m4 = (boxes_m4 - start) / size
    mirrored_m4 = jnp.stack([1 - moved_m4[:, 2], moved_m4[:, 1], 1 - moved_m4[:, 0], moved_m4[:, 3]], -1)
    moved_m4 = jnp.where(placed.flipped, mirrored_m4, moved_m4)
    seen_m4 = jnp.clip(moved_m4, 0.0, 1.0)
    whole_m, seen_m = (jnp.prod(boxes[:, 2:] - boxes[:, :2], -1) for boxes in (moved_m4, seen_m4))
    return seen_m4, jnp.where(whole_m > 0, seen_m / jnp.where(whole_m > 0, whole_m, 1.0), 0.0)


def _nearest(fraction: jax.Array, side: int) -> tuple[jax.Array, jax.Array]:
    """Indices of the pixels at these fractions of a side, and which lie inside."""
    inside = (fraction >= 0) & (fraction < 1)
    return jnp.clip(jnp.floor(fraction * side).astype(jnp.int32), 0, side - 1), inside
