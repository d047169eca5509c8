"""The operations of a cell's edges, and what brings a cell's inputs to its filters and its side."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from scaling.arch.blocks.cell import OPERATIONS
from scaling.models.layers import BatchNorm, Convolution, Settings, pool


class ActConvNorm(nn.Module):
    """Activation (unless bare), 1x1 convolution, norm."""

    filters: int
    settings: Settings
    stride: int = 1
    bare: bool = False

    @nn.compact
    def __call__(self, x_nhwc, train: bool):
        x = x_nhwc if self.bare else self.settings.activate(x_nhwc)
        x = Convolution(self.filters, 1, self.settings, self.stride, name="conv")(x)
        return BatchNorm(self.settings, name="norm")(x, train)


class FactorizedReduction(nn.Module):
    """Two 1x1 convolutions, one of every `stride`-th pixel and one of those a pixel further; then norm.

    Beyond the last row and column lie zeros. Of an odd number of filters the second has one more.
    Source: tensorflow/models research/slim/nets/nasnet/nasnet_utils.py.
    """

    filters: int
    settings: Settings
    stride: int
    bare: bool = False

    @nn.compact
    def __call__(self, x_nhwc, train: bool):
        x, settings, step = (
            x_nhwc if self.bare else self.settings.activate(x_nhwc),
            self.settings,
            self.stride,
        )
        further = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))[:, 1::step, 1::step]
        half = self.filters // 2
        one = Convolution(half, 1, settings, name="path_0")(x[:, ::step, ::step])
        two = Convolution(self.filters - half, 1, settings, name="path_1")(further)
        return BatchNorm(settings, name="norm")(jnp.concatenate([one, two], axis=-1), train)


class Edge(nn.Module):
    """One operation of `scaling.arch.blocks.cell.OPERATIONS` by its name; an identity returns its input."""

    operation: str
    filters: int
    stride: int
    strided_skip: str
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool) -> Any:
        return KINDS[OPERATIONS[self.operation].kind](self, x_nhwc, train)

    def _none(self, x, train: bool):
        del train
        x = x[:, :: self.stride, :: self.stride]
        if self.settings.codes is not None and x.shape[-1] == self.filters:
            return 0.0 * x  # keeps activations in the program that nothing else carries on
        zeros = jnp.zeros((*x.shape[:3], self.filters), x.dtype)
        # or XLA computes, slowly and while compiling, what pools and convolutions make of a constant
        return lax.optimization_barrier(zeros)

    def _skip(self, x, train: bool):
        bare = self.strided_skip.startswith("bare")
        if self.stride > 1 and self.strided_skip.endswith("factorized"):
            return FactorizedReduction(self.filters, self.settings, self.stride, bare, name="skip")(x, train)
        if self.stride > 1 or x.shape[-1] != self.filters:
            bare &= self.strided_skip == "bare_conv"
            return ActConvNorm(self.filters, self.settings, self.stride, bare, name="skip")(x, train)
        return x

    def _separable(self, x, train: bool):
        operation, settings, stride = OPERATIONS[self.operation], self.settings, self.stride
        (kernel,) = operation.kernels
        x = settings.activate(x)
        for i in range(operation.layers):
            channels, dilation = x.shape[-1], operation.dilation
            form = channels, kernel, settings, stride, channels
            x = Convolution(*form, dilation=dilation, name=f"depthwise_{i}")(x)
            x = Convolution(self.filters, 1, settings, name=f"project_{i}")(x)
            x = BatchNorm(settings, act=i < operation.layers - 1, name=f"norm_{i}")(x, train)
            stride = 1
        return x

    def _convolutions(self, x, train: bool):
        """Activation, convolution, norm for each kernel; a line of pixels is strided along itself only."""
        operation, settings = OPERATIONS[self.operation], self.settings
        inner = max(1, int(self.filters / operation.squeeze))
        layers: list[tuple[tuple[int, int], tuple[int, int]]] = [
            (kernel, self._strides(kernel)) for kernel in operation.kernels
        ]
        if operation.squeeze > 1:
            layers = [((1, 1), (1, 1)), *layers, ((1, 1), (1, 1))]
        x = settings.activate(x)
        for i, (kernel, strides) in enumerate(layers):
            last = i == len(layers) - 1
            features, dilation = self.filters if last else inner, operation.dilation
            x = Convolution(features, kernel, settings, strides, dilation=dilation, name=f"conv_{i}")(x)
            x = BatchNorm(settings, act=not last, name=f"norm_{i}")(x, train)
        return x

    def _strides(self, kernel: tuple[int, int]) -> tuple[int, int]:
        rows, columns = kernel
        return (
            1 if rows == 1 and columns > 1 else self.stride,
            1 if columns == 1 and rows > 1 else self.stride,
        )

    def _pool(self, x, train: bool):
        operation, settings = OPERATIONS[self.operation], self.settings
        kernel = operation.kernels[0][0]
        name = "max" if operation.kind == "maximum" else "avg"
        zeros = operation.kind == "average_zeros"
        x = pool(x, name, kernel, self.stride, settings, count_pad=zeros)
        if x.shape[-1] == self.filters:
            return x
        return ActConvNorm(self.filters, settings, bare=True, name="widen")(x, train)

    def _shrink(self, x, train: bool):
        del train
        x = pool(x, "avg", self.stride, self.stride, dataclasses.replace(self.settings, padding="tf"))
        return Convolution(self.filters, 1, self.settings, name="conv")(x)


KINDS = {
    "none": Edge._none,
    "skip": Edge._skip,
    "separable": Edge._separable,
    "convolutions": Edge._convolutions,
    "average": Edge._pool,
    "average_zeros": Edge._pool,
    "maximum": Edge._pool,
    "shrink": Edge._shrink,
}
