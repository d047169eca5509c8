"""Pooling of regions: what a feature map has within boxes, as grids of one size.

Boxes are x1 y1 x2 y2 in pixels of the image, float32 (r, 4), `scale` the map's side over the image's. All are
pure and may be jitted and mapped over images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# Of the map that boxes of the canonical side are read from: arXiv 1612.03144 equation 1
CANONICAL_STRIDE = 16
SAMPLES = 2  # a bin, down and right: torchvision's detectors


def roi_align(
    x_hwc, boxes_r4, scale: float, grid: int, samples: int = SAMPLES, aligned: bool = False
) -> jax.Array:
    """Return the means (r, grid, grid, c) of `samples`**2 bilinear values in every bin of each box.

    With `aligned` pixels' values stand at their centres and boxes of no area at a point; else they stand at
    corners, and sides are at least 1. Source: arXiv 1703.06870 section 3; torchvision's roi_align.
    """
    return pyramid_align([x_hwc], boxes_r4, [1 / scale], grid, samples, aligned)


def pyramid_align(
    levels: Sequence[Any],
    boxes_r4,
    strides: Sequence[float],
    grid: int,
    samples: int = SAMPLES,
    aligned: bool = False,
    canonical: float = 224.0,
) -> jax.Array:
    """Return `roi_align` of each box from the one of `levels` (h, w, c), finest first, that fits its size.

    A box of `canonical` pixels a side reads the map of stride 16, one of half that side the next finer.
    Source: arXiv 1612.03144 equation 1; torchvision's MultiScaleRoIAlign.
    """
    level_r = fitting_level(boxes_r4, strides, canonical)
    flat_pc = jnp.concatenate([x.reshape(-1, x.shape[-1]) for x in levels])
    rows, columns = (jnp.asarray([x.shape[axis] for x in levels])[level_r, None] for axis in (0, 1))
    starts = np.cumsum([0, *(x.shape[0] * x.shape[1] for x in levels[:-1])])
    first_r11 = jnp.asarray(starts)[level_r, None, None]
    boxes_r4 = boxes_r4 / jnp.asarray(strides, jnp.float32)[level_r, None]
    y_rs, x_rs = _points(boxes_r4, grid, samples, aligned)
    total: Any = 0.0
    for row_rs, by_row_rs in _neighbours(y_rs, rows):
        for column_rs, by_column_rs in _neighbours(x_rs, columns):
            place_rss = first_r11 + (row_rs * columns)[:, :, None] + column_rs[:, None, :]
            weight_rss = by_row_rs[:, :, None] * by_column_rs[:, None, :]
            total += flat_pc[place_rss] * weight_rss[..., None].astype(flat_pc.dtype)
    cut = (boxes_r4.shape[0], grid, samples, grid, samples, flat_pc.shape[-1])
    return jnp.mean(total.reshape(cut), (2, 4))


def fitting_level(boxes_r4, strides: Sequence[float], canonical: float) -> jax.Array:
    """Return for each box the index of the map that it is read from, int32 (r,)."""
    sides = boxes_r4[:, 2:] - boxes_r4[:, :2]
    ratio_r = jnp.sqrt(jnp.maximum(sides[:, 0] * sides[:, 1], 0.0)) / canonical
    finest = jnp.log2(CANONICAL_STRIDE / jnp.float32(strides[0]))
    level_r = jnp.floor(finest + jnp.log2(jnp.maximum(ratio_r, 1e-9)) + 1e-6)
    return jnp.clip(level_r, 0, len(strides) - 1).astype(jnp.int32)


def roi_pool(x_hwc, boxes_r4, scale: float, grid: int) -> jax.Array:
    """Return the largest values (r, grid, grid, c) of every bin of each box, whole pixels; 0 of an empty bin.

    Source: arXiv 1504.08083 section 2.1; torchvision's roi_pool.
    """
    bounds = _bins(boxes_r4, scale, grid, x_hwc.shape, last=1)

    def of_box(left_g, right_g, top_g, bottom_g):
        within = lambda start, stop, size: (
            (jnp.arange(size) >= start[:, None]) & (jnp.arange(size) < stop[:, None])
        )
        rows_gh, columns_gw = within(top_g, bottom_g, x_hwc.shape[0]), within(left_g, right_g, x_hwc.shape[1])
        by_row = jnp.max(jnp.where(rows_gh[:, :, None, None], x_hwc[None], -jnp.inf), 1)
        return jnp.max(jnp.where(columns_gw[None, :, :, None], by_row[:, None], -jnp.inf), 2)

    pooled = jax.vmap(of_box)(*bounds)
    return jnp.where(_areas(*bounds)[..., None] > 0, pooled, 0.0)


def position_sensitive_pool(x_hwc, boxes_r4, scale: float, grid: int) -> jax.Array:
    """Return means (r, grid, grid, c) of each bin's own channels, of a map with c * grid**2; 0 where empty.

    Channels are numbered (c, row of the bin, column of the bin). A bin is summed by four values of the map's
    running sums. Source: arXiv 1605.06409 equation 1; torchvision's ps_roi_pool.
    """
    height, width, channels = x_hwc.shape
    bounds = left_rg, right_rg, top_rg, bottom_rg = _bins(boxes_r4, scale, grid, x_hwc.shape, last=0)
    x_hwcgg = x_hwc.astype(jnp.float32).reshape(height, width, channels // grid**2, grid, grid)
    sums = jnp.cumsum(jnp.cumsum(x_hwcgg, 0), 1)
    sums = jnp.pad(sums, ((1, 0), (1, 0), (0, 0), (0, 0), (0, 0)))
    row_g1, column_1g = jnp.arange(grid)[:, None], jnp.arange(grid)[None, :]

    def until(row_rg, column_rg):
        """The sum above and left of corners, (r, grid, grid, c)."""
        return sums[row_rg[:, :, None], column_rg[:, None, :], :, row_g1, column_1g]

    total = until(bottom_rg, right_rg) - until(top_rg, right_rg)
    total += until(top_rg, left_rg) - until(bottom_rg, left_rg)
    area_rgg1 = _areas(*bounds)[..., None]
    return jnp.where(area_rgg1 > 0, total / jnp.maximum(area_rgg1, 1), 0.0)


def _points(boxes_r4, grid: int, samples: int, aligned: bool):
    """Where boxes in a map's pixels are read: rows and columns, (r, grid * samples) each."""
    start_r2 = boxes_r4[:, :2] - (0.5 if aligned else 0.0)
    sides_r2 = boxes_r4[:, 2:] - boxes_r4[:, :2]
    sides_r2 = sides_r2 if aligned else jnp.maximum(sides_r2, 1.0)
    parts = (jnp.arange(grid * samples) + 0.5) / (grid * samples)
    x_rs, y_rs = (start_r2[:, i, None] + sides_r2[:, i, None] * parts for i in (0, 1))
    return y_rs, x_rs


def _neighbours(place_rs, size_r1):
    """The two pixels about each place along an axis of `size_r1` pixels, and what each counts.

    Places up to a pixel beyond the border have its value, places farther out 0.
    """
    known_rs = (place_rs >= -1) & (place_rs <= size_r1)
    place_rs = jnp.clip(place_rs, 0, size_r1 - 1)
    low_rs = jnp.floor(place_rs).astype(jnp.int32)
    share_rs = place_rs - low_rs
    high_rs = jnp.minimum(low_rs + 1, size_r1 - 1)
    return (low_rs, jnp.where(known_rs, 1 - share_rs, 0.0)), (high_rs, jnp.where(known_rs, share_rs, 0.0))


def _bins(boxes_r4, scale: float, grid: int, shape, last: int):
    """The first pixel of every bin and the one after its last: left, right, top, bottom, int32 (r, grid).

    Corners are rounded to pixels, of which the `last` one counts or not; bins overlap where they must.
    """
    corners_r4 = jnp.floor(boxes_r4 * scale + 0.5).astype(jnp.int32)
    places, found = jnp.arange(grid), []
    for axis, size in enumerate(shape[1::-1]):
        start_r1, stop_r1 = corners_r4[:, axis, None], corners_r4[:, axis + 2, None]
        side_r1 = jnp.maximum(stop_r1 - start_r1 + last, 1)
        found.append(jnp.clip(start_r1 + places * side_r1 // grid, 0, size))
        found.append(jnp.clip(start_r1 - (-(places + 1) * side_r1 // grid), 0, size))
    return found


def _areas(left_rg, right_rg, top_rg, bottom_rg):
    """Pixels of each bin, (r, grid, grid)."""
    rows_rg, columns_rg = jnp.maximum(bottom_rg - top_rg, 0), jnp.maximum(right_rg - left_rg, 0)
    return rows_rg[:, :, None] * columns_rg[:, None, :]
