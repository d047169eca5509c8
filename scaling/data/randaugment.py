"""RandAugment on the device: every operation of a layer in one pass of warp, table look-up and blend.

Under `vmap` each branch of a switch would run, so the fifteen operations share three mechanisms: one
nearest-neighbour affine warp, one look-up table of 256 levels per channel, one blend with a degenerate
image. An operation that is not of a mechanism's kind passes through it unchanged.

Operations and ranges: arXiv 1909.13719 and 1805.09501, table 6, with severity rising in the magnitude
for all of them; grey 128 fills what a warp uncovers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

WARPS = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
TABLES = (
    "autocontrast", "equalize", "invert", "posterize", "solarize", "solarize_add", "brightness", "contrast"
)  # fmt: skip
BLENDS = ("color", "sharpness")
OPERATIONS = WARPS + TABLES + BLENDS

MAX_ROTATION = 30.0  # degrees
MAX_SHEAR = 0.3
MAX_TRANSLATION = 0.45  # of the side
MAX_ENHANCEMENT = 0.9  # factor 1 +- this
MAX_ADDITION = 110.0  # levels, of those below 128
MAX_LOST_BITS = 4
FILL = 128.0


class Setting(NamedTuple):
    """How strong an operation is, as each kind takes it: arrays of one shape, or numbers.

    `warp` is the share of a warp's largest move, with its direction; `factor` that of a blend; a
    posterised level is a multiple of `step`; solarising inverts from `threshold` on, or adds `added`
    below the middle.
    """

    warp: Any
    factor: Any
    step: Any
    threshold: Any
    added: Any


def rising(level: float, sign: Any) -> Setting:
    """RandAugment's setting at a `level` in [0, 1]: every operation is stronger where it is higher."""
    return Setting(
        warp=level * sign,
        factor=1 + MAX_ENHANCEMENT * level * sign,
        step=2.0 ** round(MAX_LOST_BITS * level),
        threshold=256 - round(256 * level),
        added=round(MAX_ADDITION * level),
    )


def randaugment(x_hwc: jax.Array, draws_l2: jax.Array, magnitude: float) -> jax.Array:
    """Apply one operation for each row of draws, at `magnitude` in [0, 10]; values in [0, 255].

    The first uniform draw of a row chooses the operation with equal chance, the second its sign.
    """
    x_hwc = jnp.round(jnp.clip(x_hwc, 0, 255))

    def layer(x_hwc: jax.Array, draws: jax.Array) -> tuple[jax.Array, None]:
        choice = jnp.minimum((draws[0] * len(OPERATIONS)).astype(jnp.int32), len(OPERATIONS) - 1)
        return apply(x_hwc, choice, rising(magnitude / 10, jnp.where(draws[1] < 0.5, -1.0, 1.0))), None

    return jax.lax.scan(layer, x_hwc, draws_l2)[0]


def apply(x_hwc: jax.Array, choice: jax.Array | int, setting: Setting) -> jax.Array:
    """Apply operation `OPERATIONS[choice]` to whole levels in [0, 255]; -1 is none of them."""
    matrix = _select(WARPS, choice, warp_matrices(setting.warp, x_hwc.shape[0]), jnp.eye(2, 3))
    warped = warp(x_hwc, matrix)
    levels = jnp.arange(256.0)[:, None] * jnp.ones(x_hwc.shape[-1])
    table = _choose_table(choice, tables(warped, levels, setting), levels)
    mapped = jnp.take_along_axis(table, warped.astype(jnp.int32).reshape(-1, x_hwc.shape[-1]), axis=0)
    mapped = mapped.reshape(x_hwc.shape)
    degenerate = _select(BLENDS, choice, {"color": grey(mapped), "sharpness": smooth(mapped)}, mapped)
    return enhance(mapped, degenerate, setting.factor)


def _select(names: tuple[str, ...], choice, values: dict[str, jax.Array], otherwise: jax.Array) -> jax.Array:
    """The value whose name is the chosen operation, or `otherwise`."""
    for name in names:
        otherwise = jnp.where(choice == OPERATIONS.index(name), values[name], otherwise)
    return otherwise


def _choose_table(choice, values: dict[str, jax.Array], otherwise: jax.Array) -> jax.Array:
    """As `_select`, by a product with a one-hot row: XLA:CPU would fuse a selection into every look-up."""
    chosen = jnp.stack([choice == OPERATIONS.index(name) for name in TABLES]).astype(jnp.float32)
    weights = jnp.append(chosen, 1 - jnp.sum(chosen))
    stacked = jnp.stack([*(values[name] for name in TABLES), otherwise])
    return jnp.einsum("t,tlc->lc", weights, stacked, precision=jax.lax.Precision.HIGHEST)


def enhance(x: jax.Array, degenerate: jax.Array, factor: jax.Array | float) -> jax.Array:
    """Blend away from (factor > 1) or towards a degenerate image, in whole levels."""
    return jnp.clip(jnp.round(degenerate + factor * (x - degenerate)), 0, 255)


def warp_matrices(level: jax.Array | float, side: int) -> dict[str, jax.Array]:
    """Output to input coordinates (x, y, 1), relative to the centre: float[2, 3] for each warp."""
    angle = jnp.deg2rad(MAX_ROTATION * level)
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    shear, shift = MAX_SHEAR * level, MAX_TRANSLATION * level * side
    rows = {
        "rotate": [[cosine, -sine, 0], [sine, cosine, 0]],
        "shear_x": [[1, shear, 0], [0, 1, 0]],
        "shear_y": [[1, 0, 0], [shear, 1, 0]],
        "translate_x": [[1, 0, shift], [0, 1, 0]],
        "translate_y": [[1, 0, 0], [0, 1, shift]],
    }
    return {name: jnp.asarray(matrix, jnp.float32) for name, matrix in rows.items()}


def warp(x_hwc: jax.Array, matrix: jax.Array) -> jax.Array:
    """Resample at the nearest pixel of `matrix` applied to each output coordinate; outside is grey."""
    side, channels = x_hwc.shape[0], x_hwc.shape[-1]
    offset = jnp.arange(side) - (side - 1) / 2
    x, y = offset[None, :], offset[:, None]
    column, row = (
        jnp.round(m[0] * x + m[1] * y + m[2] + (side - 1) / 2).astype(jnp.int32)
        for m in (matrix[0], matrix[1])
    )
    inside = (row >= 0) & (row < side) & (column >= 0) & (column < side)
    # Outside is one more pixel of the source: then XLA:CPU computes the coordinates once, not at each use.
    source = jnp.concatenate([x_hwc.reshape(-1, channels), jnp.full((1, channels), FILL)])
    return jnp.take(source, jnp.where(inside, row * side + column, side * side), axis=0, mode="clip")


def tables(x_hwc: jax.Array, levels: jax.Array, setting: Setting) -> dict[str, jax.Array]:
    """Look-up tables float[256, C] of the operations that map each level on its own."""
    step, factor = setting.step, setting.factor
    return {
        "autocontrast": autocontrast(x_hwc, levels),
        "equalize": equalize(x_hwc, levels),
        "invert": 255 - levels,
        "posterize": jnp.floor(levels / step) * step,
        "solarize": jnp.where(levels < setting.threshold, levels, 255 - levels),
        "solarize_add": jnp.where(levels < 128, jnp.minimum(255, levels + setting.added), levels),
        "brightness": enhance(levels, jnp.zeros(()), factor),
        "contrast": enhance(levels, jnp.round(jnp.mean(grey(x_hwc))), factor),
    }


def autocontrast(x_hwc: jax.Array, levels: jax.Array) -> jax.Array:
    """Stretch each channel to the full range."""
    low, high = jnp.min(x_hwc, axis=(0, 1)), jnp.max(x_hwc, axis=(0, 1))
    stretched = jnp.floor((levels - low) * (255 / jnp.maximum(high - low, 1)))
    return jnp.where(high > low, jnp.clip(stretched, 0, 255), levels)


def equalize(x_hwc: jax.Array, levels: jax.Array) -> jax.Array:
    """Flatten each channel's histogram, rounded as Pillow does."""
    channels = x_hwc.shape[-1]
    flat = x_hwc.astype(jnp.int32).reshape(-1, channels)
    histogram = jnp.zeros((256, channels), jnp.int32).at[flat, jnp.arange(channels)].add(1)
    brightest = jnp.take_along_axis(histogram, jnp.max(flat, axis=0)[None], axis=0)
    step = (len(flat) - brightest) // 255
    below = jnp.cumsum(histogram, axis=0) - histogram
    mapped = jnp.minimum((step // 2 + below) // jnp.maximum(step, 1), 255)
    return jnp.where(step > 0, mapped.astype(jnp.float32), levels)


def grey(x_hwc: jax.Array) -> jax.Array:
    """Luminance (ITU-R 601) in every channel, whole levels; one-channel images as they are."""
    if x_hwc.shape[-1] != 3:
        return x_hwc
    luminance = 0.299 * x_hwc[..., 0] + 0.587 * x_hwc[..., 1] + 0.114 * x_hwc[..., 2]
    return jnp.broadcast_to(jnp.round(luminance)[..., None], x_hwc.shape)


def smooth(x_hwc: jax.Array) -> jax.Array:
    """A 3 x 3 mean with the centre counted five times; the border stays as it is."""
    rows = x_hwc[:-2] + x_hwc[1:-1] + x_hwc[2:]
    total = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] + 4 * x_hwc[1:-1, 1:-1]
    return x_hwc.at[1:-1, 1:-1].set(jnp.round(total / 13))
