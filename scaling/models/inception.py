"""The Inception module (arXiv 1409.4842, 1512.00567) and its residual form (arXiv 1602.07261)."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from scaling.arch import blocks as values
from scaling.models.layers import BatchNorm, Convolution, Settings, add, pool_as


class FilterModule(nn.Module):
    """A convolution of `kernel` rows x columns and its activation, with norm or with bias."""

    kernel: tuple[int, int]
    width: int
    stride: int
    settings: Settings
    norm: bool
    pad: int | None = None

    @nn.compact
    def __call__(self, x_nhwc, train: bool):
        fan = "out" if self.norm else "in"
        form: Any = {"stride": self.stride, "use_bias": not self.norm, "pad": self.pad, "fan": fan}
        name = "conv" if self.norm else "filter"
        x: Any = Convolution(self.width, self.kernel, self.settings, **form, name=name)(x_nhwc)
        if self.norm:
            return BatchNorm(self.settings, act=True, name="norm")(x, train)
        return self.settings.activate(x)


class InceptionModule(nn.Module):
    """Branches joined; with a residual scale projected and added. Layer l of branch b is branch_b_l."""

    value: values.Inception
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        value, settings = self.value, self.settings
        x = self._join(value.branches, x_nhwc, train, "branch")
        if value.residual is not None:
            x = Convolution(self.width, 1, settings, use_bias=True, name="project")(x)
            x = add(x_nhwc, value.residual * x, drop_rate, keys_b)
            x = settings.activate(x) if value.act else x
        return x

    def _join(self, branches, x_nhwc, train: bool, name: str):
        outputs = [self._run(layers, x_nhwc, train, f"{name}_{b}") for b, layers in enumerate(branches)]
        return jnp.concatenate(outputs, axis=-1)

    def _run(self, layers, x: Any, train: bool, name: str):
        settings = self.settings
        for i, layer in enumerate(layers):
            here = f"{name}_{i}"
            if isinstance(layer, values.Fork):
                x = self._join(layer.branches, x, train, here)
            elif isinstance(layer, values.Pool):
                x = pool_as(layer, x, self.stride, self.settings)
            else:
                form = layer.kernel, layer.width, self.stride if layer.strided else 1, settings
                x = FilterModule(*form, self.value.norm, layer.pad, name=here)(x, train)
                settings = settings.after(self.stride) if layer.strided else settings
        return x
