"""Antialiased resizing as two small matrix products: fast on every backend, any box per example."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def weights(start: jax.Array | float, length: jax.Array | float, source: int, target: int) -> jax.Array:
    """Matrix [target, source] that samples [start, start + length) of a line of `source` pixels.

    A triangle filter as wide as the shrink factor, renormalised at the borders: what
    `jax.image.resize(method="linear", antialias=True)` does for the whole line.
    """
    factor = length / target
    centre = start + (jnp.arange(target) + 0.5) * factor - 0.5
    distance = jnp.abs(centre[:, None] - jnp.arange(source)) / jnp.maximum(factor, 1.0)
    triangle = jnp.maximum(0.0, 1.0 - distance)
    return triangle / jnp.sum(triangle, axis=1, keepdims=True)


def sample(x_hwc: jax.Array, rows_ts: jax.Array, columns_ts: jax.Array) -> jax.Array:
    """Apply one matrix to the rows and one to the columns: [S, S, C] -> [T, T, C], float32."""
    exact = jax.lax.Precision.HIGHEST  # bfloat16 or TF32 products would shift pixel values
    x_twc = jnp.einsum("ts,swc->twc", rows_ts, x_hwc.astype(jnp.float32), precision=exact)
    return jnp.einsum("us,tsc->tuc", columns_ts, x_twc, precision=exact)


def resize(x_nhwc: jax.Array, side: int) -> jax.Array:
    """Squeeze square images to `side`; the identity (as float32) where they have it."""
    if x_nhwc.shape[1] == side:
        return x_nhwc.astype(jnp.float32)
    matrix = weights(0.0, x_nhwc.shape[1], x_nhwc.shape[1], side)
    return jax.vmap(sample, (0, None, None))(x_nhwc, matrix, matrix)
