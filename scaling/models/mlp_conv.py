"""Network in Network's mlpconv layer. Source: arXiv 1312.4400 section 3.1."""

from __future__ import annotations

from flax import linen as nn

from scaling.arch.blocks import MLPConv
from scaling.models.layers import Convolution, Settings


class MLPConvModule(nn.Module):
    """A k x k convolution, then 1x1 ones; each with bias and activation."""

    value: MLPConv
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        del train, drop_rate, keys_b
        value, settings, x = self.value, self.settings, x_nhwc
        for i, width in enumerate((*value.inner, self.width)):
            kernel, stride = (1, 1) if i else (value.kernel, self.stride)
            layer = Convolution(width, kernel, settings, stride, use_bias=True, fan="in", name=f"mlp{i}")
            x = settings.activate(layer(x))
        return x
