"""DenseNet's dense block and the transition between two of them (arXiv 1608.06993)."""

from __future__ import annotations

import jax.numpy as jnp
from flax import linen as nn

from scaling.arch import blocks as values
from scaling.models.layers import BatchNorm, Convolution, Settings, pool


class DenseModule(nn.Module):
    """Layers that each append `growth` channels to all before; no two are alike, so none is scanned.

    There is no shortcut to keep when a branch drops, so the drop-path rate is not used.
    """

    value: values.Dense
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        del drop_rate, keys_b
        for i in range(self.value.layers):
            grown = DenseLayer(self.value, self.settings, name=f"layer_{i}")(x_nhwc, train)
            x_nhwc = jnp.concatenate([x_nhwc, grown], axis=-1)
        return x_nhwc


class DenseLayer(nn.Module):
    """Norm, activation and convolution; once by 1x1 if there is a bottleneck, once by 3x3."""

    value: values.Dense
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool):
        value, settings, x = self.value, self.settings, x_nhwc
        if value.bottleneck:
            x = BatchNorm(settings, act=True, name="norm_bottleneck")(x, train)
            x = Convolution(value.bottleneck * value.growth, 1, settings, name="bottleneck")(x)
        x = BatchNorm(settings, act=True, name="norm")(x, train)
        return Convolution(value.growth, 3, settings, name="conv")(x)


class TransitionModule(nn.Module):
    """Norm, activation, 1x1 convolution, then the mean of each stride x stride square that is whole."""

    value: values.Transition
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        del drop_rate, keys_b
        x = BatchNorm(self.settings, act=True, name="norm")(x_nhwc, train)
        x = Convolution(self.width, 1, self.settings, name="conv")(x)
        return pool(x, "avg", self.stride, self.stride, self.settings, pad=0)
