"""EfficientDet's pyramid, of `scaling.arch.necks.BiFpn`, and the separable convolution that heads share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from scaling.arch.necks import BiFpn
from scaling.models.initializers import ONES, ZEROS, Law, parameter
from scaling.models.layers import BatchNorm, Convolution, Settings
from scaling.models.resampling import resample


class BiFpnModule(nn.Module):
    """Maps, finest first -> levels, finest first, all of the value's width."""

    value: BiFpn
    settings: Settings

    @nn.compact
    def __call__(self, maps, train: bool) -> list[Any]:
        value, settings, levels = self.value, self.settings, list(maps)
        for i in range(value.levels - len(maps)):
            x = Fitted(value, settings, name=f"further_{i}")(levels[-1], train)
            levels.append(resample(x, [-(-side // 2) for side in x.shape[1:3]], settings))
        for i in range(value.cells):
            levels = BiFpnCell(value, settings, name=f"cell_{i}")(levels, train)
        return levels


class BiFpnCell(nn.Module):
    """Once down and up: levels -> levels."""

    value: BiFpn
    settings: Settings

    @nn.compact
    def __call__(self, levels, train: bool) -> list[Any]:
        found = list(levels)
        for i, (level, inputs) in enumerate(self.value.nodes()):
            node = BiFpnNode(self.value, inputs, self.settings, name=f"node_{i}")
            found.append(node([found[j] for j in inputs], levels[level].shape[1:3], train))
        return found[-len(levels) :]


class BiFpnNode(nn.Module):
    """The weighted sum of levels at the sides of one, activation, a separable convolution, batch norm."""

    value: BiFpn
    inputs: tuple[int, ...]
    settings: Settings

    @nn.compact
    def __call__(self, levels: Sequence[Any], sides, train: bool):
        value, settings, fitted = self.value, self.settings, []
        for i, x in zip(self.inputs, levels):
            x = Fitted(value, settings, name=f"input_{i}")(x, train)
            fitted.append(resample(x, sides, settings))
        x = settings.activate(self._sum(fitted))
        x = Separable(value.width, settings, value.bias, name="separable")(x)
        return BatchNorm(settings, name="norm")(x, train)

    def _sum(self, levels: Sequence[Any]):
        if self.value.fusion == "sum":
            return sum(levels[1:], start=levels[0])
        weights = parameter(self, "edge_weights", (len(levels),), ONES)
        if self.value.fusion == "softmax":
            weights = jax.nn.softmax(weights)
        else:
            weights = jax.nn.relu(weights)
            weights = weights / (jnp.sum(weights) + 1e-4)
        weights = weights.astype(self.settings.dtype)
        return sum((x * weights[i] for i, x in enumerate(levels[1:], 1)), start=levels[0] * weights[0])


class Fitted(nn.Module):
    """A 1x1 convolution and batch norm to the pyramid's width; nothing where the map has it."""

    value: BiFpn
    settings: Settings

    @nn.compact
    def __call__(self, x, train: bool):
        if x.shape[-1] == self.value.width:
            return x
        x = Convolution(self.value.width, 1, self.settings, use_bias=self.value.bias, name="conv")(x)
        return BatchNorm(self.settings, name="norm")(x, train)


class Separable(nn.Module):
    """A depthwise and a 1x1 convolution; `law` and `bias_law` are those of its kernels and bias."""

    features: int
    settings: Settings
    use_bias: bool = True
    laws: tuple[Law | None, Law | None] = (None, None)
    bias_law: Law = ZEROS
    kernel: int = 3

    @nn.compact
    def __call__(self, x):
        channels, (spread, mixed) = x.shape[-1], self.laws
        x = Convolution(channels, self.kernel, self.settings, groups=channels, law=spread, name="depthwise")(
            x
        )
        form = {"use_bias": self.use_bias, "law": mixed, "bias_law": self.bias_law, "name": "project"}
        return Convolution(self.features, 1, self.settings, **form)(x)
