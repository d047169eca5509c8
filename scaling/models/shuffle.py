"""The units of ShuffleNet V1 and V2: cheap 1x1 convolutions, with channels shuffled between groups."""

from __future__ import annotations

import jax.numpy as jnp
from flax import linen as nn

from scaling.arch import blocks as values
from scaling.models.layers import BatchNorm, Convolution, Settings, add, drop_path, pool


class ShuffleV1Module(nn.Module):
    """Grouped 1x1, shuffle, depthwise, grouped 1x1; added, or joined to the pooled input."""

    value: values.ShuffleV1
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        value, settings, channels = self.value, self.settings, x_nhwc.shape[-1]
        if self.stride == 1 and channels == self.width:
            x = self._branch(x_nhwc, self.width, value.groups, train)
            return settings.activate(add(x_nhwc, x, drop_rate, keys_b))
        self._check(channels)
        groups = 1 if value.dense_first else value.groups
        x = self._branch(x_nhwc, self.width - channels, groups, train)
        pooled = pool(x_nhwc, "avg", 3, self.stride, settings)
        return settings.activate(jnp.concatenate([pooled, x], -1))

    def _branch(self, x, features: int, first_groups: int, train: bool):
        value, settings, inner = self.value, self.settings, self.width // 4
        x = Convolution(inner, 1, settings, groups=first_groups, name="reduce")(x)
        x = shuffle(BatchNorm(settings, act=True, name="norm_reduce")(x, train), value.groups)
        x = Convolution(inner, value.kernel, settings, self.stride, inner, name="depthwise")(x)
        x = BatchNorm(settings, name="norm_depthwise")(x, train)
        x = Convolution(features, 1, settings, groups=value.groups, name="expand")(x)
        return BatchNorm(settings, name="norm_expand")(x, train)

    def _check(self, channels: int) -> None:
        if self.width <= channels:
            raise ValueError(
                f"ShuffleV1: width={self.width} must exceed the {channels} channels that reach it, which "
                "are joined to its own where shapes change: choose a larger width factor."
            )


class ShuffleV2Module(nn.Module):
    """Half of the channels pass, half go through 1x1, depthwise, 1x1; then both are shuffled.

    Where shapes change, both halves are branches of the whole input. Drop-path zeroes the branch.
    """

    value: values.ShuffleV2
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        if self.stride == 1 and x_nhwc.shape[-1] == self.width:
            passed, x = jnp.split(x_nhwc, 2, -1)
            x = self._branch(x, train)
            x = x if drop_rate is None else drop_path(x, drop_rate, keys_b)
        else:
            passed, x = self._shortcut(x_nhwc, train), self._branch(x_nhwc, train)
        return shuffle(jnp.concatenate([passed, x], -1), 2)

    def _branch(self, x, train: bool):
        value, settings, half = self.value, self.settings, self.width // 2
        x = Convolution(half, 1, settings, name="conv0")(x)
        x = BatchNorm(settings, act=True, name="norm0")(x, train)
        x = Convolution(half, value.kernel, settings, self.stride, half, name="depthwise")(x)
        x = BatchNorm(settings, name="norm_depthwise")(x, train)
        x = Convolution(half, 1, settings, name="conv1")(x)
        return BatchNorm(settings, act=True, name="norm1")(x, train)

    def _shortcut(self, x, train: bool):
        value, settings, channels = self.value, self.settings, x.shape[-1]
        name = "depthwise_shortcut"
        x = Convolution(channels, value.kernel, settings, self.stride, channels, name=name)(x)
        x = BatchNorm(settings, name="norm_depthwise_shortcut")(x, train)
        x = Convolution(self.width // 2, 1, settings, name="shortcut")(x)
        return BatchNorm(settings, act=True, name="norm_shortcut")(x, train)


def shuffle(x_nhwc, groups: int):
    """Deal the channels of `groups` groups out in turn: channel g * m + i becomes i * groups + g."""
    *pixels, channels = x_nhwc.shape
    grouped = x_nhwc.reshape(*pixels, groups, channels // groups)
    return grouped.swapaxes(-1, -2).reshape(x_nhwc.shape)
