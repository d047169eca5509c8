"""GhostNet's bottleneck and the convolution that it is made of (arXiv 1911.11907)."""

from __future__ import annotations

import jax.numpy as jnp
from flax import linen as nn

from scaling.arch.blocks import GhostBottleneck
from scaling.models.layers import BatchNorm, Convolution, Settings, SqueezeExcite, add


class GhostConvolution(nn.Module):
    """Half of the features by a 1x1 convolution, the rest from these by a 3x3 depthwise one."""

    features: int
    settings: Settings
    act: bool = False

    @nn.compact
    def __call__(self, x_nhwc, train: bool):
        half, settings = self.features // 2, self.settings
        x = Convolution(half, 1, settings, name="primary")(x_nhwc)
        x = BatchNorm(settings, self.act, name="norm_primary")(x, train)
        ghosts = Convolution(half, 3, settings, groups=half, name="cheap")(x)
        ghosts = BatchNorm(settings, self.act, name="norm_cheap")(ghosts, train)
        return jnp.concatenate([x, ghosts], -1)


class GhostBottleneckModule(nn.Module):
    """Ghost convolution, strided depthwise, squeeze-excite, linear ghost convolution; residual."""

    value: GhostBottleneck
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        value, settings, channels = self.value, self.settings, x_nhwc.shape[-1]
        inner, after = value.expanded(channels), settings.after(self.stride)
        x = GhostConvolution(inner, settings, act=True, name="expand")(x_nhwc, train)
        if self.stride > 1:
            x = Convolution(inner, value.kernel, settings, self.stride, inner, name="depthwise")(x)
            x = BatchNorm(settings, name="norm_depthwise")(x, train)
        if value.se_ratio:
            x = SqueezeExcite(value.squeezed(channels), settings, "relu", "hard_sigmoid", name="se")(x)
        x = GhostConvolution(self.width, after, name="project")(x, train)
        return add(self._shortcut(x_nhwc, train), x, drop_rate, keys_b)

    def _shortcut(self, x, train: bool):
        settings, channels, kernel = self.settings, x.shape[-1], self.value.kernel
        if self.stride == 1 and channels == self.width:
            return x
        x = Convolution(channels, kernel, settings, self.stride, channels, name="depthwise_shortcut")(x)
        x = BatchNorm(settings, name="norm_depthwise_shortcut")(x, train)
        x = Convolution(self.width, 1, settings, name="shortcut")(x)
        return BatchNorm(settings, name="norm_shortcut")(x, train)
