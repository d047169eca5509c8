"""Heads that answer for every pixel: modules of the values in `scaling.arch.map_heads`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from scaling.arch.arch import Arch
from scaling.arch.map_heads import UP_KERNELS, Aspp, Fcn, LrAspp, OwnLayers, UNet
from scaling.models.layers import BatchNorm, Convolution, Settings, dropout


def per_pixel(arch: Arch, maps: Sequence[Any], shape, train: bool, settings: Settings, keys_b) -> dict:
    """Return {"out": float32 (n, h, w, classes)} for images of `shape`, from the maps that the head reads.

    To be called within a compact method: the module becomes the caller's.
    """
    module = MODULES[type(arch.head)](arch.head, arch.num_classes, settings, name="decoder")
    scores = module(tuple(maps), train, keys_b)
    return {"out": resize(scores.astype(jnp.float32), shape[1:3])}


class FcnModule(nn.Module):
    """Scores of the last map, and of finer ones added on the way up."""

    value: Fcn
    num_classes: int
    settings: Settings

    @nn.compact
    def __call__(self, maps, train: bool, keys_b=None):
        *finer, x = maps
        width = self.value.width or max(1, x.shape[-1] // 4)
        x = ConvNorm(width, 3, self.settings, name="conv")(x, train)
        x = dropout(x, self.value.drop_rate, keys_b)
        x = self._scores(x, "scores")
        for i, skip in enumerate(reversed(finer)):
            x = resize(x, skip.shape[1:3]) + self._scores(skip, f"scores_{i}")
        return x

    def _scores(self, x, name: str):
        return Convolution(self.num_classes, 1, self.settings, use_bias=True, name=name)(x)


class AsppModule(nn.Module):
    """Atrous spatial pyramid pooling, a convolution, scores."""

    value: Aspp
    num_classes: int
    settings: Settings

    @nn.compact
    def __call__(self, maps, train: bool, keys_b=None):
        (x,), width, settings = maps, self.value.width, settings_of(self.value, self.settings)
        x = last_convolution(self.value, x, train, self.settings)
        branches = [ConvNorm(width, 1, settings, name="branch_0")(x, train)]
        for i, rate in enumerate(self.value.rates, start=1):
            branches.append(ConvNorm(width, 3, settings.spread(rate), name=f"branch_{i}")(x, train))
        mean = ConvNorm(width, 1, settings, name="pooled")(jnp.mean(x, (1, 2), keepdims=True), train)
        branches.append(jnp.broadcast_to(mean, branches[0].shape))
        x = ConvNorm(width, 1, settings, name="project")(jnp.concatenate(branches, -1), train)
        x = dropout(x, self.value.drop_rate, keys_b)
        x = ConvNorm(width, 3, settings, name="conv")(x, train)
        return Convolution(self.num_classes, 1, settings, use_bias=True, name="scores")(x)


class LrAsppModule(nn.Module):
    """The last map's scores, gated by its mean, and those of a finer map."""

    value: LrAspp
    num_classes: int
    settings: Settings

    @nn.compact
    def __call__(self, maps, train: bool, keys_b=None):
        del keys_b
        (low, high), width, settings = maps, self.value.width, settings_of(self.value, self.settings)
        high = last_convolution(self.value, high, train, self.settings)
        x = ConvNorm(width, 1, settings, name="conv")(high, train)
        mean = jnp.mean(high, (1, 2), keepdims=True)
        x = x * jax.nn.sigmoid(Convolution(width, 1, settings, name="gate")(mean))
        x = resize(x, low.shape[1:3])
        scores = Convolution(self.num_classes, 1, settings, use_bias=True, name="scores")(x)
        return scores + Convolution(self.num_classes, 1, settings, use_bias=True, name="scores_low")(low)


class UNetModule(nn.Module):
    """From the coarsest map up, each finer map beside what came from below."""

    value: UNet
    num_classes: int
    settings: Settings

    @nn.compact
    def __call__(self, maps, train: bool, keys_b=None):
        del keys_b
        *finer, x = maps
        widths = self.value.widths
        for i, skip in enumerate(reversed(finer)):
            width = widths[min(i, len(widths) - 1)]
            x = jnp.concatenate([self._up(x, skip.shape[1:3], width, i), skip], -1)
            for k in range(self.value.convs):
                x = ConvNorm(width, 3, self.settings, name=f"step_{i}_conv_{k}")(x, train)
        return Convolution(self.num_classes, 1, self.settings, use_bias=True, name="scores")(x)

    def _up(self, x, sides, width: int, step: int):
        how = self.value.upsampling
        if how not in UP_KERNELS:
            return resize(x, sides, how)
        x = Convolution(4 * width, UP_KERNELS[how], self.settings, use_bias=True, name=f"step_{step}_up")(x)
        return filling(x, sides)


def settings_of(value: OwnLayers, settings: Settings) -> Settings:
    """The settings of a head's own layers in a network of these."""
    norm = {} if value.norm is None else dataclasses.asdict(value.norm)
    return dataclasses.replace(settings, activation=value.act or settings.activation, **norm)


def last_convolution(value: OwnLayers, x, train: bool, settings: Settings):
    """The network's last convolution where the head holds it; a module of the compact method that calls."""
    return x if value.last is None else ConvNorm(value.last, 1, settings, name="last")(x, train)


class ConvNorm(nn.Module):
    """A convolution, batch norm and the network's activation."""

    width: int
    kernel: int
    settings: Settings

    @nn.compact
    def __call__(self, x, train: bool):
        x = Convolution(self.width, self.kernel, self.settings, name="conv")(x)
        return BatchNorm(self.settings, act=True, name="norm")(x, train)


def resize(x_nhwc, sides, method: str = "bilinear"):
    """Resize height and width; corners of pixels, not their centres, lie on each other."""
    if tuple(x_nhwc.shape[1:3]) == tuple(sides):
        return x_nhwc
    shape = (x_nhwc.shape[0], *sides, x_nhwc.shape[3])
    return jax.image.resize(x_nhwc, shape, method, antialias=False)


def filling(x_nhwc, sides, by: int = 2):
    """Spread channels over squares that fill `sides`: (n, h, w, by**2 c) -> (n, *sides, c).

    What is over is cut off; the edge's pixels stand for those that windows cut on the way down.
    """
    x = to_space(x_nhwc, by)[:, : sides[0], : sides[1]]
    lacking = [(0, side - have) for side, have in zip(sides, x.shape[1:3])]
    return jnp.pad(x, ((0, 0), *lacking, (0, 0)), "edge")


def to_space(x_nhwc, by: int = 2):
    """Spread groups of by**2 channels over squares: (n, h, w, by**2 c) -> (n, by h, by w, c)."""
    n, h, w, c = x_nhwc.shape
    x = x_nhwc.reshape(n, h, w, by, by, c // by**2)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(n, by * h, by * w, c // by**2)


MODULES: dict[type, Any] = {Fcn: FcnModule, Aspp: AsppModule, LrAspp: LrAsppModule, UNet: UNetModule}
