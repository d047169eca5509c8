"""RegNet's X block, and with squeeze-excite its Y block (arXiv 2003.13678)."""

from __future__ import annotations

from flax import linen as nn

from scaling.arch.blocks import XBlock
from scaling.models.layers import BatchNorm, Convolution, Settings, SqueezeExcite, add


class XBlockModule(nn.Module):
    """1x1, grouped 3x3 with the stride, squeeze-excite, 1x1; added to a shortcut, then activated."""

    value: XBlock
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        settings, channels = self.settings, x_nhwc.shape[-1]
        x = Convolution(self.width, 1, settings, name="conv0")(x_nhwc)
        x = BatchNorm(settings, act=True, name="norm0")(x, train)
        x = Convolution(self.width, 3, settings, self.stride, self._groups(), name="conv1")(x)
        x = BatchNorm(settings, act=True, name="norm1")(x, train)
        if self.value.se_ratio:
            x = SqueezeExcite(self.value.squeezed(channels), settings, "relu", name="se")(x)
        x = Convolution(self.width, 1, settings, name="conv2")(x)
        x = BatchNorm(settings, name="norm2")(x, train)
        return settings.activate(add(self._shortcut(x_nhwc, train), x, drop_rate, keys_b))

    def _groups(self) -> int:
        if self.width % self.value.group_width:
            raise ValueError(
                f"group_width={self.value.group_width} must divide the width {self.width}: choose a multiple."
            )
        return self.width // self.value.group_width

    def _shortcut(self, x_nhwc, train: bool):
        if self.stride == 1 and x_nhwc.shape[-1] == self.width:
            return x_nhwc
        x = Convolution(self.width, 1, self.settings, self.stride, name="shortcut")(x_nhwc)
        return BatchNorm(self.settings, name="norm_shortcut")(x, train)
