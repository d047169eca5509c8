"""Pooling of regions: what a feature map has within boxes, as grids of one size.

Boxes are x1 y1 x2 y2 in pixels of the image, float32 (r, 4), `scale` the map's side over the image's. All are
pure and may be jitted and mapped over images; a box's order of values and gradients are those of the map.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

CANONICAL_STRIDE = 16  # of the map that boxes of the canonical side are read from: arXiv 1612.03144 equation 1
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
    starts, rows, columns = (jnp.asarray(numbers) for numbers in _extents(levels))
    y_rs, x_rs = _points(boxes_r4 / jnp.asarray(strides, jnp.float32)[level_r, None], grid, samples, aligned)
    down = _corners(y_rs, rows[level_r, None])
    right = _corners(x_rs, columns[level_r, None])
    total = 0.0
    for row_rs, by_row in down:
        for column_rs, by_column in right:
            place = row_rs[:, :, None] * columns[level_r, None, None] + column_rs[:, None, :]
            weight = by_row[:, :, None] * by_column[:, None, :]
            total += flat_pc[starts[level_r, None, None] + place] * weight[..., None].astype(flat_pc.dtype)
    cut = (len(boxes_r4), grid, samples, grid, samples, flat_pc.shape[-1])
    return jnp.mean(jnp.asarray(total).reshape(cut), (2, 4))


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
    start_r2 = _rounded(boxes_r4[:, :2] * scale)
    sides_r2 = jnp.maximum(_rounded(boxes_r4[:, 2:] * scale) - start_r2 + 1, 1)

    def of_box(start_2, sides_2):
        (columns_gw, rows_gh) = (
            _bins(start_2[i], sides_2[i], grid, size) for i, size in enumerate(x_hwc.shape[1::-1])
        )
        least = -jnp.inf
        by_row = jnp.max(jnp.where(rows_gh[:, :, None, None], x_hwc[None], least), 1)
        pooled = jnp.max(jnp.where(columns_gw[None, :, :, None], by_row[:, None], least), 2)
        return jnp.where(jnp.isfinite(pooled), pooled, 0.0)

    return jax.vmap(of_box)(start_r2, sides_r2)


def position_sensitive_pool(x_hwc, boxes_r4, scale: float, grid: int) -> jax.Array:
    """Return means (r, grid, grid, c) of each bin's own channels, of a map with c * grid**2; 0 where empty.

    Channels are numbered (c, row of the bin, column of the bin). A bin is summed by four values of the map's
    running sums. Source: arXiv 1605.06409 equation 1; torchvision's ps_roi_pool.
    """
    height, width, channels = x_hwc.shape
    start_r2 = _rounded(boxes_r4[:, :2]) * scale if False else _rounded(boxes_r4[:, :2] * scale)
    sides_r2 = jnp.maximum(_rounded(boxes_r4[:, 2:] * scale) - start_r2, 1)
    x_hwcgg = x_hwc.astype(jnp.float32).reshape(height, width, channels // grid**2, grid, grid)
    sums = jnp.cumsum(jnp.cumsum(x_hwcgg, 0), 1)
    sums = jnp.pad(sums, ((1, 0), (1, 0), (0, 0), (0, 0), (0, 0)))
    (left_rg, right_rg), (top_rg, bottom_rg) = (
        _edges(start_r2[:, i : i + 1], sides_r2[:, i : i + 1], grid, size)
        for i, size in enumerate((width, height))
    )
    i, j = jnp.arange(grid)[None, :, None], jnp.arange(grid)[None, None, :]
    at = lambda row_rg, column_rg: sums[row_rg[:, :, None], column_rg[:, None, :], :, i, j]
    total = at(bottom_rg, right_rg) - at(top_rg, right_rg) - at(bottom_rg, left_rg) + at(top_rg, left_rg)
    area = jnp.maximum(bottom_rg - top_rg, 0)[:, :, None] * jnp.maximum(right_rg - left_rg, 0)[:, None, :]
    return jnp.where(area[..., None] > 0, total / jnp.maximum(area, 1)[..., None], 0.0)
