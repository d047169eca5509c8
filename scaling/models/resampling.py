"""From one level of a pyramid to the side of another: nearest values up, max pooling down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from scaling.arch.necks import pooling_step
from scaling.models.layers import Settings, pool


def resample(x_nhwc, sides: Sequence[int], settings: Settings) -> Any:
    """Give (n, h, w, c) the `sides`: pool where it is larger in some direction, then take nearest values."""
    step = max(pooling_step(have, want) for have, want in zip(x_nhwc.shape[1:3], sides))
    return nearest(pool(x_nhwc, "max", step + 1, step, settings) if step > 1 else x_nhwc, sides)


def nearest(x_nhwc, sides: Sequence[int]) -> Any:
    """Take for each pixel of `sides` the one at floor(place * have / want), as PyTorch does."""
    n, h, w, c = x_nhwc.shape
    rows, columns = sides
    if (rows, columns) == (h, w):
        return x_nhwc
    if rows % h == 0 and columns % w == 0:
        spread = jnp.broadcast_to(x_nhwc[:, :, None, :, None], (n, h, rows // h, w, columns // w, c))
        return spread.reshape(n, rows, columns, c)
    x = jnp.take(x_nhwc, np.arange(rows) * h // rows, axis=1)
    return jnp.take(x, np.arange(columns) * w // columns, axis=2)
