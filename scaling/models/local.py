"""What belongs to a place of the image: modules of `scaling.arch.blocks.local`."""

from __future__ import annotations

import jax.numpy as jnp
from flax import linen as nn

from scaling.arch import blocks as values
from scaling.models.initializers import ZEROS, fan_in, parameter
from scaling.models.layers import Settings, edges
from scaling.models.map_heads import resize


class LocalModule(nn.Module):
    """Windows laid out beside each other, a product with weights of each place, bias, activation."""

    value: values.Local
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        del train, drop_rate, keys_b
        dtype, kernel = self.settings.dtype, self.value.kernel
        seen_nhwp = self._windows(x_nhwc.astype(dtype))
        _, rows, columns, taps = seen_nhwp.shape
        law = fan_in((kernel, kernel, x_nhwc.shape[-1], self.width))
        weights = parameter(self, "kernel", (rows, columns, taps, self.width), law).astype(dtype)
        bias = parameter(self, "bias", (rows, columns, self.width), ZEROS).astype(dtype)
        y_hwno = jnp.einsum("nhwp,hwpo->hwno", seen_nhwp, weights) + bias[:, :, None]
        return self.settings.activate(y_hwno.transpose(2, 0, 1, 3))

    def _windows(self, x_nhwc):
        """Return all values that each place sees, (n, rows, columns, kernel * kernel * c)."""
        kernel, step = self.value.kernel, self.settings.step(self.stride)
        padding = edges(x_nhwc.shape, (kernel, kernel), self.stride, self.settings, self.value.pad)
        x = jnp.pad(x_nhwc, ((0, 0), *padding, (0, 0)))
        apart, reach = self.settings.dilation, (kernel - 1) * self.settings.dilation
        rows, columns = x.shape[1] - reach, x.shape[2] - reach
        places = [(i * apart, j * apart) for i in range(kernel) for j in range(kernel)]
        return jnp.concatenate([x[:, i : i + rows : step, j : j + columns : step] for i, j in places], -1)


class PartsModule(nn.Module):
    """Boxes of an image, to whole pixels, resized and put one behind the other."""

    value: values.Parts
    width: int
    stride: int
    settings: Settings

    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        del train, drop_rate, keys_b
        return jnp.concatenate([self._part(x_nhwc, box) for box in self.value.boxes], -1)

    def _part(self, x_nhwc, box):
        rows, columns = x_nhwc.shape[1:3]
        top, left, height, width = (round(x * n) for x, n in zip(box, (rows, columns, rows, columns)))
        top, left = min(top, rows - 1), min(left, columns - 1)
        cut = x_nhwc[:, top : top + max(1, height), left : left + max(1, width)]
        return resize(cut, (self.value.side, self.value.side))
