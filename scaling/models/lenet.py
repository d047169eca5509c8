"""The layers of the first convolutional networks: modules of `scaling.arch.blocks.lenet`."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from scaling.arch import blocks as values
from scaling.models.initializers import ONES, ZEROS, parameter
from scaling.models.layers import Convolution, Settings, pool_as


class SubsamplingModule(nn.Module):
    """A mean over windows, a coefficient and a bias a channel, activation."""

    value: values.Subsampling
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        del train, drop_rate, keys_b
        x = pool_as(self.value, x_nhwc, self.stride, self.settings)
        scale = parameter(self, "scale", (self.width,), ONES).astype(x.dtype)
        bias = parameter(self, "bias", (self.width,), ZEROS).astype(x.dtype)
        return self.settings.activate(x * scale + bias)


class PartialModule(nn.Module):
    """Grouped convolutions of chosen maps, put together in the table's order."""

    value: values.Partial
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        del train, drop_rate, keys_b
        value, parts = self.value, self.value.parts(x_nhwc.shape[-1], self.width)
        maps = jnp.split(x_nhwc, x_nhwc.shape[-1], -1)  # its gradient is one concatenation
        found = []
        for i, part in enumerate(parts):
            form: Any = (
                len(part.outputs),
                value.kernel,
                self.settings,
                self.stride,
                part.groups,
                True,
                value.pad,
            )
            read = jnp.concatenate([maps[n] for n in part.inputs], -1)
            found.append(Convolution(*form, fan="in", name=f"conv{i}")(read))
        x = jnp.concatenate(found, -1)
        order = np.argsort([n for part in parts for n in part.outputs])
        return self.settings.activate(x if np.all(np.diff(order) > 0) else x[..., order])
