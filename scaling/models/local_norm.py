"""Local response normalisation across channels. Source: Krizhevsky et al., NIPS 2012, section 3.3."""

from __future__ import annotations

import jax.numpy as jnp
from flax import linen as nn

from scaling.arch.blocks import LocalNorm
from scaling.models.layers import Settings


class LocalNormModule(nn.Module):
    """Divide by a power of the sum of squares over neighbouring channels, in float32."""

    value: LocalNorm
    width: int
    stride: int
    settings: Settings

    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        del train, drop_rate, keys_b
        value, x = self.value, x_nhwc.astype(jnp.float32)
        total = sum_of_neighbours(x * x, value.size)
        return (x * (value.bias + value.alpha * total) ** -value.beta).astype(x_nhwc.dtype)


def sum_of_neighbours(x_nhwc, size: int):
    """Sum `size` channels around each, size // 2 of them before it; beyond the ends there is nothing.

    Shifted additions: a window over the channel axis would be counted as one over pixels.
    """
    before, channels = size // 2, x_nhwc.shape[-1]
    padded = jnp.pad(x_nhwc, ((0, 0), (0, 0), (0, 0), (before, size - 1 - before)))
    return sum(padded[..., i : i + channels] for i in range(size))
