"""Recurrence over rows: the module of `scaling.arch.blocks.Lstm`."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from scaling.arch import blocks as values
from scaling.arch.blocks.recurrent import GATES
from scaling.models.initializers import ONES, ZEROS, Law, parameter
from scaling.models.layers import Settings


class LstmModule(nn.Module):
    """flax.linen's cell, run over the rows by `lax.scan`; its parameters are held here, under its names.

    So they begin by stated laws, as all others, and a stage can stack several blocks: kernels
    uniform within 1 / sqrt(width), as PyTorch's, biases 0, but that of the forget gate 1.
    """

    value: values.Lstm
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        del train, drop_rate, keys_b
        n, rows, columns, channels = x_nhwc.shape
        dtype = self.settings.dtype
        x_tbc = x_nhwc.astype(dtype).transpose(1, 0, 2, 3).reshape(rows, n * columns, channels)
        weights = {f"i{gate}": Gate(self.width, None, name=f"i{gate}")(channels) for gate in GATES}
        for gate in GATES:
            bias = ONES if gate == "f" else ZEROS
            weights[f"h{gate}"] = Gate(self.width, bias, name=f"h{gate}")(self.width)
        cell: Any = nn.OptimizedLSTMCell(self.width, dtype=dtype, parent=None)
        start = (jnp.zeros((n * columns, self.width), dtype),) * 2
        _, y_tbc = lax.scan(lambda carry, x_bc: cell.apply({"params": weights}, carry, x_bc), start, x_tbc)
        return y_tbc.reshape(rows, n, columns, self.width).transpose(1, 0, 2, 3)


class Gate(nn.Module):
    """The kernel of a gate, and its bias where a law gives it one, by the names of a dense layer."""

    width: int
    bias: Law | None

    @nn.compact
    def __call__(self, channels: int) -> dict[str, Any]:
        law = Law("uniform", 1 / math.sqrt(self.width))
        found = {"kernel": parameter(self, "kernel", (channels, self.width), law)}
        return (
            found
            if self.bias is None
            else {**found, "bias": parameter(self, "bias", (self.width,), self.bias)}
        )
