"""The modules of the block values in `scaling.arch.blocks`; choosing by value is one dict, `MODULES`.

Every block takes (x_nhwc, train, drop_rate, keys_b): `drop_rate` is this block's drop-path
probability (None: off), `keys_b` one random key an example.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from scaling.arch import blocks as values
from scaling.models.causal import CausalModule
from scaling.models.cell import CellModule
from scaling.models.convnext import ConvNeXtModule, PatchesModule
from scaling.models.dense_block import DenseModule, TransitionModule
from scaling.models.fire_block import FireModule
from scaling.models.ghost import GhostBottleneckModule
from scaling.models.inception import InceptionModule
from scaling.models.layers import BatchNorm, Convolution, Settings, SqueezeExcite, add, dropout, pool, pool_as
from scaling.models.lenet import PartialModule, SubsamplingModule
from scaling.models.local import LocalModule, PartsModule
from scaling.models.local_norm import LocalNormModule
from scaling.models.mbconv import FusedMBConvModule, MBConvModule
from scaling.models.mlp_conv import MLPConvModule
from scaling.models.recurrent import LstmModule
from scaling.models.separable import DepthwiseSeparableModule
from scaling.models.shuffle import ShuffleV1Module, ShuffleV2Module
from scaling.models.x_block import XBlockModule
from scaling.models.xception import XceptionModule


class ConvModule(nn.Module):
    """Convolution, norm, activation; a residual if the value has `skip` and the shape stays."""

    value: values.Conv
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        value, settings = self.value, self.settings
        form = self.width, value.kernel, settings, self.stride, value.groups, value.bias, value.pad
        x: Any = Convolution(*form, dilation=value.dilation, name="conv")(x_nhwc)
        if value.norm:
            x = BatchNorm(settings, value.act, name="norm")(x, train)
        elif value.act:
            x = settings.activate(x)
        if value.skip and self.stride == 1 and x.shape == x_nhwc.shape:
            return add(x_nhwc, x, drop_rate, keys_b)
        return x


class PoolModule(nn.Module):
    """Spatial pooling."""

    value: values.Pool
    width: int
    stride: int
    settings: Settings

    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        del train, drop_rate, keys_b
        return pool_as(self.value, x_nhwc, self.stride, self.settings)


class DropoutModule(nn.Module):
    """Single values dropped with the network's rate."""

    value: values.Dropout
    width: int
    stride: int
    settings: Settings

    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        del train, drop_rate
        return dropout(x_nhwc, self.settings.drop_rate, keys_b)


class ResidualModule(nn.Module):
    """Convolutions at an inner width added to a shortcut, post- or pre-activated."""

    value: values.Residual
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, drop_rate=None, keys_b=None):
        value, settings = self.value, self.settings
        changes = self.stride != 1 or x_nhwc.shape[-1] != self.width
        x = x_nhwc
        if value.preact:
            x = BatchNorm(settings, act=True, name="norm0")(x, train)
        shortcut = self._shortcut(x if value.preact else x_nhwc, train) if changes else x_nhwc
        x = self._branch(x, train)
        if value.se_ratio:
            x = SqueezeExcite(value.squeezed(self.width), settings, "relu", name="se")(x)
        x = add(shortcut, x, drop_rate, keys_b)
        return x if value.preact else settings.activate(x)

    def _branch(self, x, train: bool):
        value, settings, last = self.value, self.settings, len(self.value.kernels) - 1
        inner = round(self.width * value.inner)
        for i, kernel in enumerate(value.kernels):
            features = self.width if i == last else inner
            stride = self.stride if i == value.stride_at else 1
            groups = value.groups if kernel > 1 else 1
            x = Convolution(features, kernel, settings, stride, groups, name=f"conv{i}")(x)
            if not value.preact:
                x = BatchNorm(settings, i < last, name=f"norm{i}")(x, train)
            elif i < last:
                x = BatchNorm(settings, True, name=f"norm{i + 1}")(x, train)
            settings = settings.after(stride)
        return x

    def _shortcut(self, x, train: bool):
        value, settings = self.value, self.settings
        if value.shortcut == "zero_pad":
            extra, step = self.width - x.shape[-1], settings.step(self.stride)
            x = x[:, ::step, ::step]
            return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (extra // 2, extra - extra // 2)))
        stride = self.stride
        if value.shortcut == "pool" and stride > 1:
            x, stride = pool(x, "avg", stride, stride, dataclasses.replace(settings, padding="tf")), 1
        x = Convolution(self.width, 1, settings, stride, name="shortcut")(x)
        return x if value.preact else BatchNorm(settings, name="norm_shortcut")(x, train)


MODULES: dict[type, Any] = {
    values.Conv: ConvModule,
    values.Pool: PoolModule,
    values.MBConv: MBConvModule,
    values.FusedMBConv: FusedMBConvModule,
    values.Residual: ResidualModule,
    values.DepthwiseSeparable: DepthwiseSeparableModule,
    values.ShuffleV1: ShuffleV1Module,
    values.ShuffleV2: ShuffleV2Module,
    values.LocalNorm: LocalNormModule,
    values.Dropout: DropoutModule,
    values.MLPConv: MLPConvModule,
    values.Fire: FireModule,
    values.XBlock: XBlockModule,
    values.Dense: DenseModule,
    values.Transition: TransitionModule,
    values.Patches: PatchesModule,
    values.ConvNeXt: ConvNeXtModule,
    values.Inception: InceptionModule,
    values.Xception: XceptionModule,
    values.Cell: CellModule,
    values.GhostBottleneck: GhostBottleneckModule,
    values.Causal: CausalModule,
    values.Subsampling: SubsamplingModule,
    values.Partial: PartialModule,
    values.Lstm: LstmModule,
    values.Local: LocalModule,
    values.Parts: PartsModule,
}
