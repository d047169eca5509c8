"""The network of an `Arch` in stock Flax layers: what one would write without this project."""

from __future__ import annotations

import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from scaling.arch.arch import Arch, Stage
from scaling.arch.blocks import Conv, MBConv, Pool, Residual
from scaling.cost.counting import count
from scaling.models.initialize import abstract_variables
from scaling.models.initializers import ONES, ZEROS, Law, fan_out, units

ACTIVATIONS = {"relu": nn.relu, "relu6": nn.relu6, "silu": nn.silu, "hard_swish": nn.hard_swish}


class StockNetwork(nn.Module):
    """(n, h, w, c) images -> (n, num_classes) logits, one module a block, nothing scanned."""

    arch: Arch
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images_nhwc, train: bool = False):
        arch = self.arch
        x = images_nhwc.astype(self.dtype)
        for i, stage in enumerate(arch.stem + arch.stages):
            for j in range(stage.repeats):
                stride = stage.stride if j == 0 else 1
                x = StockBlock(arch, stage, stride, self.dtype, name=f"stage{i}_{j}")(x, train)
        layers = Layers(arch, self.dtype, train)
        if arch.head.preact:
            x = layers.norm(x, "norm_final", act=True)
        if arch.head.width is not None:
            x = layers.conv_norm(x, arch.head.width, 1, "head", act=True)
        features = jnp.mean(x, (1, 2), dtype=jnp.float32)
        for i, width in enumerate(arch.head.hidden):
            features = layers.activate(nn.Dense(width, name=f"hidden_{i}")(features))
        return nn.Dense(arch.num_classes, name="classifier")(features)


class StockBlock(nn.Module):
    """One block of any kind in `BLOCKS`."""

    arch: Arch
    stage: Stage
    stride: int
    dtype: Any

    @nn.compact
    def __call__(self, x_nhwc, train: bool):
        kind = type(self.stage.block)
        if kind not in BLOCKS:
            known = ", ".join(block.__name__ for block in BLOCKS)
            raise ValueError(f"{kind.__name__} has no stock Flax peer: measure networks of {known}.")
        layers = Layers(self.arch, self.dtype, train)
        return BLOCKS[kind](self.stage.block, x_nhwc, self.stage.width, self.stride, layers)


class Layers:
    """Stock layers with one architecture's settings, made inside a compact method."""

    def __init__(self, arch: Arch, dtype: Any, train: bool):
        self.arch, self.dtype, self.train = arch, dtype, train
        self.activate = ACTIVATIONS[arch.activation]

    def conv(self, x, width: int, kernel: int, name: str, stride: int = 1, groups: int = 1, bias=False):
        pads = "SAME" if self.arch.padding == "tf" else [(kernel // 2, kernel // 2)] * 2
        return nn.Conv(
            width,
            (kernel, kernel),
            (stride, stride),
            pads,
            feature_group_count=groups,
            use_bias=bias,
            dtype=self.dtype,
            name=name,
        )(x)

    def norm(self, x, name: str, act: bool):
        norm = self.arch.norm
        y = nn.BatchNorm(
            not self.train, momentum=norm.momentum, epsilon=norm.eps, dtype=self.dtype, name=name
        )(x)
        return self.activate(y) if act else y

    def conv_norm(self, x, width: int, kernel: int, name: str, act: bool, **convolution):
        return self.norm(self.conv(x, width, kernel, name, **convolution), f"norm_{name}", act)

    def squeeze_excite(self, x, squeeze: int, activate):
        gate = jnp.mean(x, (1, 2), keepdims=True)
        gate = activate(self.conv(gate, squeeze, 1, "se_reduce", bias=True))
        return x * nn.sigmoid(self.conv(gate, x.shape[-1], 1, "se_expand", bias=True))


def conv(value: Conv, x, width: int, stride: int, layers: Layers):
    y = layers.conv(x, width, value.kernel, "conv", stride, value.groups, value.bias)
    if value.norm:
        y = layers.norm(y, "norm", act=False)
    if value.act:
        y = layers.activate(y)
    return x + y if value.skip and x.shape == y.shape else y


def pool(value: Pool, x, width: int, stride: int, layers: Layers):
    pads = "SAME" if layers.arch.padding == "tf" else [(value.kernel // 2, value.kernel // 2)] * 2
    function = nn.max_pool if value.op == "max" else nn.avg_pool
    return function(x, (value.kernel, value.kernel), (stride, stride), pads)


def mbconv(value: MBConv, x, width: int, stride: int, layers: Layers):
    if value != MBConv(value.kernel, value.expand, value.se_ratio) or value.expand != int(value.expand):
        raise ValueError(f"{value} has no stock Flax peer: measure an MBConv as EfficientNet has it.")
    channels = x.shape[-1]
    inner, y = channels * int(value.expand), x
    if value.expand != 1:
        y = layers.conv_norm(y, inner, 1, "expand", act=True)
    y = layers.conv_norm(y, inner, value.kernel, "depthwise", act=True, stride=stride, groups=inner)
    if value.se_ratio:
        y = layers.squeeze_excite(y, max(1, int(channels * value.se_ratio)), layers.activate)
    y = layers.conv_norm(y, width, 1, "project", act=False)
    return x + y if x.shape == y.shape else y


def residual(value: Residual, x, width: int, stride: int, layers: Layers):
    last, y = len(value.kernels) - 1, x
    if value.preact:
        y = layers.norm(x, "norm0", act=True)
        x = y if _changes(x, width, stride) else x
    for i, kernel in enumerate(value.kernels):
        features = width if i == last else round(width * value.inner)
        groups = value.groups if kernel > 1 else 1
        y = layers.conv(y, features, kernel, f"conv{i}", stride if i == value.stride_at else 1, groups)
        if not value.preact:
            y = layers.norm(y, f"norm{i}", act=i < last)
        elif i < last:
            y = layers.norm(y, f"norm{i + 1}", act=True)
    if value.se_ratio:
        y = layers.squeeze_excite(y, max(8, int(width * value.se_ratio + 4) // 8 * 8), nn.relu)
    y = y + (shortcut(value, x, width, stride, layers) if _changes(x, width, stride) else x)
    return y if value.preact else layers.activate(y)


def shortcut(value: Residual, x, width: int, stride: int, layers: Layers):
    if value.shortcut == "zero_pad":
        extra = width - x.shape[-1]
        return jnp.pad(x[:, ::stride, ::stride], ((0, 0), (0, 0), (0, 0), (extra // 2, extra - extra // 2)))
    if value.shortcut == "pool" and stride > 1:
        x, stride = nn.avg_pool(x, (stride, stride), (stride, stride), "SAME", count_include_pad=False), 1
    x = layers.conv(x, width, 1, "shortcut", stride)
    return x if value.preact else layers.norm(x, "norm_shortcut", act=False)


BLOCKS = {Conv: conv, Pool: pool, MBConv: mbconv, Residual: residual}


def _changes(x, width: int, stride: int) -> bool:
    return stride != 1 or x.shape[-1] != width


def initialize(net: StockNetwork) -> Any:
    """Draw initial variables by our law; ValueError where there are not as many as counted."""
    shapes = abstract_variables(net, net.arch.resolution, net.arch.in_channels)
    params = sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))
    if params != count(net.arch).params:
        raise ValueError(
            f"{net.arch.name}: the stock Flax network has {params} parameters, ours {count(net.arch).params}: "
            "they are not the same network, so comparing them would mean nothing."
        )

    def draw(path, leaf):
        names = [entry.key for entry in path]
        rng = np.random.default_rng(zlib.crc32("/".join(names).encode()))
        return _law(names[-2], names[-1], leaf.shape).by_generator(rng, leaf.shape)

    return jax.tree_util.tree_map_with_path(draw, shapes)


def _law(layer: str, leaf: str, shape: tuple[int, ...]) -> Law:
    """What ours start from, of a layer by the name that it has in this file."""
    if leaf == "kernel":
        return fan_out(shape, shape[-1] if layer == "depthwise" else 1) if len(shape) == 4 else units(shape)
    return ONES if leaf in ("scale", "var") else ZEROS
