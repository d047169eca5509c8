"""The layers every block is made of: convolution, batch norm, squeeze-excite, activation, dropping."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from scaling.arch.arch import Arch
from scaling.arch.blocks import Pool
from scaling.arch.padding import pads
from scaling.arch.stages import FeatureGrid
from scaling.models import activations
from scaling.models.activation_kernel import compare_codes
from scaling.models.batch_norm import affine, count, normalize
from scaling.models.dense import dense, grouped, native_dense
from scaling.models.depthwise import depthwise
from scaling.models.initializers import (
    ONES,
    ZEROS,
    Law,
    asks_shapes,
    fan_in,
    fan_out,
    parameter,
    statistic,
    units,
)
from scaling.models.max_pool import MOST, max_pool
from scaling.models.native import Window
from scaling.models.operators import LAX, Operators
from scaling.models.phases import Padding
from scaling.models.pointwise import pointwise
from scaling.models.winograd import pays, winograd


@dataclass(frozen=True)
class Settings:
    """What all layers of one network share; `axis_name` syncs batch-norm statistics over devices.

    `dilation` and `traded` are those of the layer's place (`scaling.arch.stages.FeatureGrid`); `choice`
    int32[edges] says what the edges of a stage's cells do where they have several operations; with `codes`
    zeros[n, n] the network can be asked which examples activate it alike
    (`scaling.models.activation_kernel`).
    """

    activation: str = "relu"
    eps: float = 1e-5
    momentum: float = 0.9
    padding: str = "torch"
    dtype: Any = jnp.float32
    axis_name: str | None = None
    operators: Operators = LAX
    drop_rate: float = 0.0
    dilation: int = 1
    traded: bool = False
    choice: Any = None
    codes: Any = None

    @staticmethod
    def of(arch: Arch, dtype: Any, axis_name: str | None, operators: Operators) -> Settings:
        norm = arch.norm
        return Settings(
            arch.activation,
            norm.eps,
            norm.momentum,
            arch.padding,
            dtype,
            axis_name,
            operators,
            arch.drop_rate,
        )

    def at(self, grid: FeatureGrid) -> Settings:
        """The settings of a stage at its place."""
        return dataclasses.replace(self, dilation=grid.dilation, traded=grid.traded)

    def after(self, stride: int) -> Settings:
        """The settings of what follows a window of `stride` within a stage."""
        return dataclasses.replace(self, dilation=self.dilation * stride) if self.traded else self

    def spread(self, dilation: int) -> Settings:
        """The settings of windows that are dilated by themselves, too."""
        if dilation == 1:
            return self
        return dataclasses.replace(self, dilation=self.dilation * dilation)

    def step(self, stride: int) -> int:
        """The stride that a window of `stride` takes."""
        return 1 if self.traded else stride

    def activate(self, x):
        y = activations.named(self.activation)(x)
        return y if self.codes is None else compare_codes(y, self.codes)


def edges(
    shape,
    sides,
    stride: int | tuple[int, int],
    settings: Settings,
    pad: int | None = None,
    ceil: bool = False,
) -> Padding:
    """Padding before and after height and width of (n, h, w, c), for windows dilated as the settings say.

    `sides` are a window's rows and columns. Padding is that of plain windows, times the dilation; that of
    TensorFlow's strided windows is that of all the pixels that one spans. Where a stride is traded the side
    stays, also where `pad` alone would make it smaller.
    """

    def along(size: int, side: int, stride: int) -> tuple[int, int]:
        step = settings.step(stride)
        if pad is None and settings.padding == "tf" and step > 1:
            return pads(size, (side - 1) * settings.dilation + 1, step, "tf")
        low, high = pads(size, side, step, settings.padding, pad, ceil)
        high = max(high, side - 1 - low) if settings.traded and stride > 1 else high
        return low * settings.dilation, high * settings.dilation

    rows, columns = map(along, shape[1:3], sides, both(stride))
    return rows, columns


class Convolution(nn.Module):
    """A k x k convolution of NHWC images, as the backend runs it fastest.

    `kernel` and `stride` are one number, or (rows, columns). Shapes: (n, h, w, c) -> (n, oh, ow, features).
    Parameters and products' operands are float32 and `settings.dtype`. The first kernel keeps the spread of
    the gradient (`fan` "out") or, for a width that jumps without a norm after it, of the input ("in"), or
    follows `law`.
    """

    features: int
    kernel: int | tuple[int, int]
    settings: Settings
    stride: int | tuple[int, int] = 1
    groups: int = 1
    use_bias: bool = False
    pad: int | None = None
    dilation: int = 1
    fan: Literal["in", "out"] = "out"
    law: Law | None = None
    bias_law: Law = ZEROS

    @nn.compact
    def __call__(self, x_nhwc):
        channels = x_nhwc.shape[-1]
        if channels % self.groups or self.features % self.groups:
            raise ValueError(
                f"{self.name}: groups={self.groups} must divide the channels in ({channels}) and out "
                f"({self.features}): choose another width or group count."
            )
        shape = (*both(self.kernel), channels // self.groups, self.features)
        law = self.law or (fan_in(shape) if self.fan == "in" else fan_out(shape, self.groups))
        kernel = parameter(self, "kernel", shape, law).astype(self.settings.dtype)
        y = convolve(x_nhwc, kernel, self.stride, self.groups, self.settings.spread(self.dilation), self.pad)
        if self.use_bias:
            bias = parameter(self, "bias", (self.features,), self.bias_law)
            y = y + bias.astype(y.dtype)
        return y


def both(size: int | tuple[int, int]) -> tuple[int, int]:
    """One number for rows and columns, or one each."""
    return (size, size) if isinstance(size, int) else size


def convolve(
    x_nhwc,
    kernel_hwio,
    stride: int | tuple[int, int],
    groups: int,
    settings: Settings,
    pad: int | None = None,
) -> Any:
    """Convolve by the operators of the settings; all give equal values."""
    sides, features, operators = kernel_hwio.shape[:2], kernel_hwio.shape[-1], settings.operators
    x_nhwc = x_nhwc.astype(settings.dtype)
    padding = edges(x_nhwc.shape, sides, stride, settings, pad)
    (rows, columns), dilation = map(settings.step, both(stride)), settings.dilation
    single = x_nhwc.dtype == jnp.float32
    native = single and operators.dense == "native"
    if sides == (1, 1) and groups == 1 and not pad and operators.pointwise == "matmul":
        return pointwise(x_nhwc[:, ::rows, ::columns], kernel_hwio[0, 0])
    if pad == 0 and groups == dilation == 1 and not settings.traded and x_nhwc.shape[1:3] == sides:
        whole = x_nhwc.reshape(x_nhwc.shape[0], 1, 1, -1)  # one window: a fully connected layer
        return pointwise(whole, kernel_hwio.reshape(-1, features))
    if rows == columns and groups == x_nhwc.shape[-1] == features and operators.depthwise != "lax":
        return depthwise(x_nhwc, kernel_hwio, rows, padding, dilation, operators.depthwise == "native")
    window = Window((rows, columns), padding, dilation, groups)
    if single and operators.winograd and pays(x_nhwc.shape, kernel_hwio.shape, window):
        return winograd(x_nhwc, kernel_hwio, padding, dilation, native)
    if native:
        return native_dense(x_nhwc, kernel_hwio, window)
    if rows == columns and operators.dense != "lax":
        if groups == 1:
            return dense(x_nhwc, kernel_hwio, rows, padding, dilation)
        return grouped(x_nhwc, kernel_hwio, groups, rows, padding, dilation)
    return lax.conv_general_dilated(
        x_nhwc,
        kernel_hwio,
        (rows, columns),
        padding,
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


class BatchNorm(nn.Module):
    """Batch normalisation over n, h, w, and with `act` the settings' activation after it.

    Statistics are float32 whatever the compute type.

    The running variance is the unbiased one, as in PyTorch and in TensorFlow's fused operator
    (Flax's own is biased).
    """

    settings: Settings
    act: bool = False

    @nn.compact
    def __call__(self, x_nhwc, train: bool):
        features = x_nhwc.shape[-1]
        scale = parameter(self, "scale", (features,), ONES)
        bias = parameter(self, "bias", (features,), ZEROS)
        mean = statistic(self, "mean", (features,), ZEROS)
        var = statistic(self, "var", (features,), ONES)
        if asks_shapes(self):
            return x_nhwc
        settings, axis_name = self.settings, self.settings.axis_name
        seen = self.act and settings.codes is not None  # the activation by itself, to be looked at
        activation = settings.activation if self.act and not seen else "identity"
        if not train or self.is_initializing():
            factor = scale * lax.rsqrt(var.value + settings.eps)
            y = affine(x_nhwc, factor, bias - mean.value * factor, activation)
            return settings.activate(y) if seen else y
        native = settings.operators.norm == "native"
        normalized: Any = normalize(x_nhwc, scale, bias, settings.eps, axis_name, activation, native)
        y, batch_mean, batch_var = normalized
        if self.is_mutable_collection("batch_stats"):
            values = count(x_nhwc, axis_name)
            momentum = settings.momentum
            mean.value = momentum * mean.value + (1 - momentum) * batch_mean
            var.value = momentum * var.value + (1 - momentum) * batch_var * (values / max(values - 1, 1))
        return settings.activate(y) if seen else y


class LayerNorm(nn.Module):
    """Normalise the channels of each pixel, in float32. Source: arXiv 1607.06450."""

    settings: Settings

    @nn.compact
    def __call__(self, x):
        features = x.shape[-1]
        scale = parameter(self, "scale", (features,), ONES)
        bias = parameter(self, "bias", (features,), ZEROS)
        centred = x.astype(jnp.float32) - jnp.mean(x, -1, keepdims=True, dtype=jnp.float32)
        variance = jnp.mean(jnp.square(centred), -1, keepdims=True)
        return (centred * (scale * lax.rsqrt(variance + self.settings.eps)) + bias).astype(x.dtype)


class Linear(nn.Module):
    """A 1x1 convolution with a bias whose peers store it as a matrix: (..., c) -> (..., features)."""

    features: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc):
        shape = x_nhwc.shape[-1], self.features
        kernel = parameter(self, "kernel", shape, units(shape))
        bias = parameter(self, "bias", (self.features,), ZEROS)
        kernel_hwio = kernel.astype(self.settings.dtype)[None, None]
        return convolve(x_nhwc, kernel_hwio, 1, 1, self.settings) + bias.astype(self.settings.dtype)


class SqueezeExcite(nn.Module):
    """Scale channels by a gate computed from their spatial means. Source: arXiv 1709.01507."""

    squeeze: int
    settings: Settings
    activation: str
    gate: str = "sigmoid"

    @nn.compact
    def __call__(self, x_nhwc):
        act = activations.named(self.activation)
        gate = jnp.mean(x_nhwc, (1, 2), keepdims=True)
        gate = Convolution(self.squeeze, 1, self.settings, use_bias=True, name="reduce")(gate)
        gate = Convolution(x_nhwc.shape[-1], 1, self.settings, use_bias=True, name="expand")(act(gate))
        return x_nhwc * activations.gate(self.gate)(gate)


def fold(keys_b, index):
    """Give each example's key a place in the network."""
    return None if keys_b is None else jax.vmap(jax.random.fold_in, (0, None))(keys_b, index)


def bernoulli_b(keys_b, keep):
    """Draw one float32 0/1 value an example, from that example's key."""
    return jax.vmap(lambda key: jax.random.bernoulli(key, keep))(keys_b).astype(jnp.float32)


def drop_path(x_nhwc, rate, keys_b):
    """Zero whole examples with probability `rate`, scaling the rest to keep the mean."""
    keep = 1.0 - rate
    gate = bernoulli_b(keys_b, keep) / keep
    return x_nhwc * gate[:, None, None, None].astype(x_nhwc.dtype)


def add(shortcut_nhwc, x_nhwc, drop_rate, keys_b):
    """Add a branch to its shortcut, dropping the branch by example where there is a rate."""
    return shortcut_nhwc + (x_nhwc if drop_rate is None else drop_path(x_nhwc, drop_rate, keys_b))


def dropout(x, rate: float, keys_b):
    """Zero single values of (n, ...) with probability `rate`, drawn from each example's key (None: off)."""
    if keys_b is None or not rate:
        return x
    keep = 1.0 - rate
    mask = jax.vmap(lambda key: jax.random.bernoulli(key, keep, x.shape[1:]))(keys_b)
    return jnp.where(mask, x / keep, 0).astype(x.dtype)


def pool_as(value: Pool, x_nhwc, stride: int, settings: Settings) -> Any:
    """Pool as a value says."""
    return pool(x_nhwc, value.op, value.kernel, stride, settings, value.pad, value.ceil, value.count_pad)


def pool(
    x_nhwc,
    op: str,
    kernel: int,
    stride: int,
    settings: Settings,
    pad: int | None = None,
    ceil: bool = False,
    count_pad: bool = False,
) -> Any:
    """Max or average pooling, as the value `Pool` says."""
    padding, dilation = edges(x_nhwc.shape, (kernel, kernel), stride, settings, pad, ceil), settings.dilation
    stride = settings.step(stride)
    if op == "max" and kernel <= MOST and settings.operators.dense != "lax":
        return max_pool(x_nhwc, kernel, stride, padding, dilation)
    window = (1, kernel, kernel, 1), (1, stride, stride, 1), ((0, 0), *padding, (0, 0))
    spread = {"window_dilation": (1, dilation, dilation, 1)}
    if op == "max":
        return lax.reduce_window(x_nhwc, -jnp.inf, lax.max, *window, **spread)
    total = lax.reduce_window(x_nhwc.astype(jnp.float32), 0.0, lax.add, *window, **spread)
    if count_pad and (pad is None or not ceil):
        return (total / kernel**2).astype(x_nhwc.dtype)
    counted = (pad or 0) * dilation if count_pad else 0  # what a last window has beyond counts for nothing
    ones = jnp.ones((1, *(side + 2 * counted for side in x_nhwc.shape[1:3]), 1), jnp.float32)
    beyond = *window[:2], ((0, 0), *((low - counted, high - counted) for low, high in padding), (0, 0))
    return (total / lax.reduce_window(ones, 0.0, lax.add, *beyond, **spread)).astype(x_nhwc.dtype)
