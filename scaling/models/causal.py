"""Convolutions over time: the module of `scaling.arch.blocks.Causal`."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

from scaling.arch import blocks as values
from scaling.models.layers import BatchNorm, Convolution, Settings, add


class CausalModule(nn.Module):
    """A window over earlier rows, norm, gate; a residual where the shape stays."""

    value: values.Causal
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        value, settings = self.value, self.settings
        before = value.reach * settings.dilation
        x = jnp.pad(x_nhwc, ((0, 0), (before, 0), (0, 0), (0, 0)))
        form = self.width * (1 + value.gated), (value.kernel, 1), settings
        x = Convolution(*form, pad=0, dilation=value.dilation, name="conv")(x)
        x = BatchNorm(settings, act=not value.gated, name="norm")(x, train)
        if value.gated:
            signal, gate = jnp.split(x, 2, -1)
            x = jnp.tanh(signal) * jax.nn.sigmoid(gate)
        return add(x_nhwc, x, drop_rate, keys_b) if x.shape == x_nhwc.shape else x
