"""The depthwise separable convolution of MobileNetV1."""

from __future__ import annotations

from flax import linen as nn

from scaling.arch import blocks as values
from scaling.models.layers import BatchNorm, Convolution, Settings


class DepthwiseSeparableModule(nn.Module):
    """Depthwise, pointwise, each with norm and activation; never a residual, so nothing to drop."""

    value: values.DepthwiseSeparable
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        del drop_rate, keys_b
        settings, channels = self.settings, x_nhwc.shape[-1]
        x = Convolution(channels, self.value.kernel, settings, self.stride, channels, name="depthwise")(
            x_nhwc
        )
        x = BatchNorm(settings, act=True, name="norm_depthwise")(x, train)
        x = Convolution(self.width, 1, settings, name="project")(x)
        return BatchNorm(settings, act=True, name="norm_project")(x, train)
