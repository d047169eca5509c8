"""SSD's levels, of `scaling.arch.necks.Extras`: maps as they are, and small convolutions after the last."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from scaling.arch.necks import Extras
from scaling.models.initializers import Law, glorot, parameter
from scaling.models.layers import BatchNorm, Convolution, Settings

SEPARABLE = Law("normal", 0.03)  # kernels of SSDLite: arXiv 1801.04381's code, torchvision


class ExtrasModule(nn.Module):
    """Maps, finest first -> levels, finest first."""

    value: Extras
    settings: Settings

    @nn.compact
    def __call__(self, maps, train: bool) -> list[Any]:
        value, levels = self.value, list(maps)
        settings = dataclasses.replace(self.settings, activation=value.act or self.settings.activation)
        kind = SeparableLevel if value.separable else PlainLevel
        for i in range(value.levels - len(maps)):
            strided = value.strides_at(levels[-1].shape[1:3], value.levels - len(levels))
            level = kind(value.width(i), strided, settings, name=f"further_{i}")
            levels.append(level(levels[-1], train))
        if value.rescale is not None:
            levels[0] = Rescaled(value.rescale, name="rescaled")(levels[0])
        return levels


class Rescaled(nn.Module):
    """Each place's values over their norm, times a factor a channel that starts from `size`."""

    size: float

    @nn.compact
    def __call__(self, x_nhwc):
        scale = parameter(self, "scale_weight", (x_nhwc.shape[-1],), Law("constant", self.size))
        x = x_nhwc.astype(jnp.float32)
        squares = jnp.sum(jnp.square(x), -1, keepdims=True)
        return (scale * x * lax.rsqrt(jnp.maximum(squares, 1e-24))).astype(x_nhwc.dtype)


class PlainLevel(nn.Module):
    """A 1x1 to half the width and a 3x3, each with bias and activation."""

    width: int
    strided: bool
    settings: Settings

    @nn.compact
    def __call__(self, x, train: bool):
        del train
        x = self._conv(x, max(1, self.width // 2), 1, 1, None, "narrow")
        return self._conv(x, self.width, 3, *((2, None) if self.strided else (1, 0)), "conv")

    def _conv(self, x, width: int, kernel: int, stride: int, pad: int | None, name: str):
        law = glorot((kernel, kernel, x.shape[-1], width))
        form = width, kernel, self.settings, stride, 1, True, pad
        return self.settings.activate(Convolution(*form, law=law, name=name)(x))


class SeparableLevel(nn.Module):
    """A 1x1 to half the width, a depthwise 3x3, a 1x1, each with batch norm and activation."""

    width: int
    strided: bool
    settings: Settings

    @nn.compact
    def __call__(self, x, train: bool):
        inner = max(1, self.width // 2)
        stride, pad = (2, None) if self.strided else (1, 0)
        x = self._conv(x, (inner, 1, self.settings), "narrow", train)
        x = self._conv(x, (inner, 3, self.settings, stride, inner, False, pad), "depthwise", train)
        return self._conv(x, (self.width, 1, self.settings), "project", train)

    def _conv(self, x, form: tuple[Any, ...], name: str, train: bool):
        x = Convolution(*form, law=SEPARABLE, name=name)(x)
        return BatchNorm(self.settings, act=True, name=f"norm_{name}")(x, train)
