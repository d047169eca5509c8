"""Masks of things: where they lie on a map that numbers them, as grids within boxes, and back.

A map has 0 for the background and k + 1 for the thing k. Boxes are x1 y1 x2 y2 as fractions of its sides.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def located(map_hw, label_m) -> tuple[Any, Any]:
    """Return the boxes (m, 4) of the things that a map shows, and their labels, -1 of those it does not."""
    height, width = map_hw.shape
    rows_hw, columns_hw = jnp.indices((height, width), jnp.int32)
    kind_p = map_hw.ravel().astype(jnp.int32)
    count = len(label_m) + 1
    least = lambda place_hw: jax.ops.segment_min(place_hw.ravel(), kind_p, count)[1:]
    most = lambda place_hw: jax.ops.segment_max(place_hw.ravel(), kind_p, count)[1:]
    corners = [least(columns_hw), least(rows_hw), most(columns_hw) + 1, most(rows_hw) + 1]
    seen_m = corners[2] > corners[0]  # of what is not there the least is above the most
    boxes_m4 = jnp.stack(corners, -1) / jnp.asarray([width, height, width, height], jnp.float32)
    return jnp.where(seen_m[:, None], boxes_m4, 0.0), jnp.where(seen_m, label_m, -1)


def within(map_hw, boxes_r4, thing_r, side: int) -> jax.Array:
    """Return where each box has its thing, bool (r, side, side): the nearest pixels to a grid's centres."""
    height, width = map_hw.shape
    parts_s = (jnp.arange(side) + 0.5) / side
    places = []
    for axis, size in enumerate((width, height)):
        start_r1, stop_r1 = boxes_r4[:, axis, None], boxes_r4[:, axis + 2, None]
        place_rs = jnp.floor((start_r1 + (stop_r1 - start_r1) * parts_s) * size).astype(jnp.int32)
        places.append(jnp.clip(place_rs, 0, size - 1))
    x_rs, y_rs = places
    return map_hw[y_rs[:, :, None], x_rs[:, None, :]] == thing_r[:, None, None] + 1


def masks(chance_rss, boxes_r4, height: int, width: int) -> jax.Array:
    """Return what of each box is likelier than not to be its thing, bool (r, height, width).

    `chance_rss` are grids within the boxes; between its values a grid is bilinear, beyond its borders 0."""
    side = chance_rss.shape[-1]
    rows_rhs = _between(boxes_r4[:, 1], boxes_r4[:, 3], height, side)
    columns_rws = _between(boxes_r4[:, 0], boxes_r4[:, 2], width, side)
    return jnp.einsum("rhs,rst,rwt->rhw", rows_rhs, chance_rss, columns_rws) > 0.5


def painted(masks_rhw, counts_r) -> jax.Array:
    """Return a map int32 (height, width) of the masks that count, the first of several where they overlap."""
    hit_rhw = masks_rhw & counts_r[:, None, None]
    return jnp.where(jnp.any(hit_rhw, 0), jnp.argmax(hit_rhw, 0) + 1, 0).astype(jnp.int32)


def shared(masks_rhw, map_hw, things: int) -> jax.Array:
    """Return how many pixels each mask has of the background and of each thing, int32 (r, 1 + things)."""
    pixels_pr = masks_rhw.reshape(len(masks_rhw), -1).T.astype(jnp.int32)
    return jax.ops.segment_sum(pixels_pr, map_hw.ravel().astype(jnp.int32), 1 + things).T


def _between(start_r, stop_r, pixels: int, side: int):
    """What each value of a grid that fills [start, stop) counts for each pixel of an axis, (r, pixels, side).

    A pixel with its centre outside has none."""
    size_r1 = jnp.maximum((stop_r - start_r)[:, None], 1e-6)
    inside_rp = ((jnp.arange(pixels) + 0.5) / pixels - start_r[:, None]) / size_r1
    apart_rps = jnp.abs((inside_rp * side - 0.5)[:, :, None] - jnp.arange(side))
    known_rp = (inside_rp >= 0) & (inside_rp < 1)
    return jnp.where(known_rp[:, :, None], jnp.maximum(0.0, 1 - apart_rps), 0.0)


def of_one_class(pairs_dm, class_d, label_m) -> jax.Array:
    """Return what `overlaps` counted; things of different classes share nothing, but keep their areas."""
    differ_dm = jnp.pad(class_d[:, None] != label_m, ((1, 0), (1, 0)))
    moved_dm = jnp.where(differ_dm, pairs_dm, 0)
    return (pairs_dm - moved_dm).at[:, 0].add(moved_dm.sum(1)).at[0].add(moved_dm.sum(0))


def overlaps(one_hw, other_hw, ones: int, others: int) -> jax.Array:
    """Return how many pixels two maps have of each pair of values, int32 (1 + ones, 1 + others)."""
    pair_p = (one_hw.astype(jnp.int32) * (others + 1) + other_hw.astype(jnp.int32)).ravel()
    counted = jax.ops.segment_sum(jnp.ones_like(pair_p), pair_p, (ones + 1) * (others + 1))
    return counted.reshape(ones + 1, others + 1)
