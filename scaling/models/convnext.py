"""ConvNeXt's block and its patches (arXiv 2201.03545)."""

from __future__ import annotations

from flax import linen as nn

from scaling.arch.blocks import ConvNeXt, Patches
from scaling.models.initializers import Law, parameter
from scaling.models.layers import Convolution, LayerNorm, Linear, Settings, add

LAYER_SCALE = Law("constant", 1e-6)  # arXiv 2201.03545 Appendix A.1


class PatchesModule(nn.Module):
    """Each whole stride x stride square becomes one pixel of `width` channels; layer norm."""

    value: Patches
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        del train, drop_rate, keys_b
        x = _patches(self.width, self.stride, self.settings, "conv")(x_nhwc)
        return LayerNorm(self.settings, name="norm")(x)


class ConvNeXtModule(nn.Module):
    """Patches where the shape changes; depthwise, layer norm, expand, project, scale; residual."""

    value: ConvNeXt
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        del train
        value, settings = self.value, self.settings
        shortcut = self._down(x_nhwc)
        inner = settings.after(self.stride)
        x = Convolution(self.width, value.kernel, inner, groups=self.width, use_bias=True, name="depthwise")(
            shortcut
        )
        x = LayerNorm(settings, name="norm")(x)
        x = settings.activate(Linear(value.expand * self.width, settings, name="expand")(x))
        x = Linear(self.width, settings, name="project")(x)
        x = x * parameter(self, "layer_scale", (self.width,), LAYER_SCALE).astype(x.dtype)
        return add(shortcut, x, drop_rate, keys_b)

    def _down(self, x_nhwc):
        if self.stride == 1 and x_nhwc.shape[-1] == self.width:
            return x_nhwc
        x = LayerNorm(self.settings, name="norm_down")(x_nhwc)
        return _patches(self.width, self.stride, self.settings, "down")(x)


def _patches(width: int, stride: int, settings: Settings, name: str) -> Convolution:
    """A convolution whose windows do not overlap."""
    return Convolution(width, stride, settings, stride, use_bias=True, pad=0, name=name)
