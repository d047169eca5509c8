"""SqueezeNet's fire block. Source: arXiv 1602.07360 section 3.2."""

from __future__ import annotations

import jax.numpy as jnp
from flax import linen as nn

from scaling.arch.blocks import Fire
from scaling.models.layers import Convolution, Settings


class FireModule(nn.Module):
    """Squeeze by 1x1, expand by 1x1 and 3x3 side by side; each convolution with bias and activation."""

    value: Fire
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        del train, drop_rate, keys_b
        x = self._layer(x_nhwc, self.value.squeezed(self.width), 1, "squeeze", self.stride)
        half = self.width // 2
        branches = self._layer(x, half, 1, "expand1x1"), self._layer(x, self.width - half, 3, "expand3x3")
        return jnp.concatenate(branches, axis=-1)

    def _layer(self, x, features: int, kernel: int, name: str, stride: int | None = None):
        """Convolve and activate: the strided layer, or without `stride` one of those after it."""
        settings = self.settings.after(self.stride) if stride is None else self.settings
        layer = Convolution(features, kernel, settings, stride or 1, use_bias=True, fan="in", name=name)
        return settings.activate(layer(x))
