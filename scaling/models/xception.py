"""The module of Xception (arXiv 1610.02357) and of its aligned form (arXiv 1802.02611)."""

from __future__ import annotations

from typing import Any

from flax import linen as nn

from scaling.arch import blocks as values
from scaling.models.layers import BatchNorm, Convolution, Settings, add, pool


class XceptionModule(nn.Module):
    """Separable convolutions in a row, activated before each or, in an exit flow, after each norm."""

    value: values.Xception
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        value, settings, x = self.value, self.settings, x_nhwc
        for i, features in enumerate((*value.inner, self.width)):
            if not value.post and (i or value.first_act):
                x = settings.activate(x)
            stride = self.stride if value.reduce == "conv" and i == len(value.inner) else 1
            x = self._separable(x, features, stride, i, train)
        if value.reduce == "pool":
            x = pool(x, "max", 3, self.stride, settings)
        return x if value.post else add(self._shortcut(x_nhwc, train), x, drop_rate, keys_b)

    def _separable(self, x: Any, features: int, stride: int, i: int, train: bool):
        value, settings, channels = self.value, self.settings, x.shape[-1]
        x = Convolution(channels, 3, settings, stride, channels, name=f"depthwise{i}")(x)
        if value.norm_depthwise:
            x = BatchNorm(settings, value.post, name=f"norm_depthwise{i}")(x, train)
        x = Convolution(features, 1, settings, name=f"conv{i}")(x)
        return BatchNorm(settings, value.post, name=f"norm{i}")(x, train)

    def _shortcut(self, x: Any, train: bool):
        if self.stride == 1 and x.shape[-1] == self.width:
            return x
        x = Convolution(self.width, 1, self.settings, self.stride, name="shortcut")(x)
        return BatchNorm(self.settings, name="norm_shortcut")(x, train)
