"""The inverted bottlenecks: MBConv and its fused form."""

from __future__ import annotations

import dataclasses

from flax import linen as nn

from scaling.arch import blocks as values
from scaling.models.layers import BatchNorm, Convolution, Settings, SqueezeExcite, add


class MBConvModule(nn.Module):
    """Expand, depthwise, squeeze-excite, project; residual where width and stride allow."""

    value: values.MBConv
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        value, channels, x = self.value, x_nhwc.shape[-1], x_nhwc
        settings = dataclasses.replace(self.settings, activation=value.act or self.settings.activation)
        inner = value.expanded(channels)
        if value.expand != 1:
            x = Convolution(inner, 1, settings, name="expand")(x)
            x = BatchNorm(settings, act=True, name="norm_expand")(x, train)
        depthwise = settings.spread(value.dilation)
        x = Convolution(inner, value.kernel, depthwise, self.stride, inner, name="depthwise")(x)
        x = BatchNorm(settings, act=True, name="norm_depthwise")(x, train)
        if value.se_ratio:
            activation = value.se_act or settings.activation
            x = SqueezeExcite(value.squeezed(channels), settings, activation, value.se_gate, name="se")(x)
        x = Convolution(self.width, 1, settings, name="project")(x)
        x = BatchNorm(settings, name="norm_project")(x, train)
        keeps = value.skip and self.stride == 1 and x.shape == x_nhwc.shape
        return add(x_nhwc, x, drop_rate, keys_b) if keeps else x


class FusedMBConvModule(nn.Module):
    """Expand by a k x k convolution, project by 1x1; residual where width and stride allow."""

    value: values.FusedMBConv
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        value, settings = self.value, self.settings
        inner = x_nhwc.shape[-1] * value.expand
        x = Convolution(inner, value.kernel, settings, self.stride, name="expand")(x_nhwc)
        x = BatchNorm(settings, act=True, name="norm_expand")(x, train)
        x = Convolution(self.width, 1, settings, name="project")(x)
        x = BatchNorm(settings, name="norm_project")(x, train)
        keeps = self.stride == 1 and x.shape == x_nhwc.shape
        return add(x_nhwc, x, drop_rate, keys_b) if keeps else x
