"""Parameters, statistics, multiply-adds and activations as arithmetic: a network in microseconds.

`counting` walks the network that is built and is what a published figure is compared with; this says the
same for the blocks that it knows, ten thousand times faster, for a search that asks thousands of times.
Conventions are those of `counting`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scaling.arch import blocks as values
from scaling.arch.arch import Arch, Head, Sized, Stage
from scaling.arch.blocks import keeping_side
from scaling.models.blocks import round_squeeze
from scaling.models.layers import pads
from scaling.models.mbconv import expanded, squeezed


@dataclass
class Totals:
    """Sums over the layers of one example's forward pass."""

    params: int = 0
    batch_stats: int = 0
    macs: int = 0
    activations: int = 0

    def conv(
        self, side: int, channels: int, width: int, kernel: int = 1, groups: int = 1, bias: bool = False
    ) -> None:
        """Add a convolution that leaves side x side pixels; a fully connected layer leaves one."""
        taps, outputs = kernel * kernel * channels // groups + bias, side * side * width
        self.params += taps * width
        self.macs += taps * outputs
        self.activations += outputs

    @property
    def params_with_bn_stats(self) -> int:
        return self.params + self.batch_stats

    def norm(self, width: int) -> None:
        """Add the scale and shift of batch norm, and its running mean and variance."""
        self.params += 2 * width
        self.batch_stats += 2 * width

    def layer_norm(self, width: int) -> None:
        self.params += 2 * width

    def conv_norm(self, side: int, channels: int, width: int, kernel: int = 1, groups: int = 1) -> None:
        self.conv(side, channels, width, kernel, groups)
        self.norm(width)

    def squeeze_excite(self, width: int, squeeze: int) -> None:
        self.conv(1, width, squeeze, bias=True)
        self.conv(1, squeeze, width, bias=True)

    def add(self, other: Totals, times: int = 1) -> None:
        self.params += times * other.params
        self.batch_stats += times * other.batch_stats
        self.macs += times * other.macs
        self.activations += times * other.activations


@dataclass(frozen=True)
class Place:
    """Where a block stands: channels and side in pixels that enter and leave it, and its stride."""

    channels: int
    width: int
    side: int
    out: int
    stride: int

    @property
    def changes(self) -> bool:
        return self.stride != 1 or self.channels != self.width


def totals(arch: Sized) -> Totals | None:
    """Return the sums over the whole network, or None where there is no closed form of it here.

    That is for Inception and Xception modules, cells, auxiliary classifiers, dilated networks and a user's own.
    """
    if not isinstance(arch, Arch) or arch.auxiliary or arch.output_stride:
        return None
    sums, channels, side = Totals(), arch.in_channels, arch.resolution
    for stage in arch.stem + arch.stages:
        if type(stage.block) not in FORMS:
            return None
        side = _add_stage(sums, stage, channels, side, arch.padding)
        channels = stage.width
    _add_head(sums, arch.head, channels, side, arch.num_classes)
    return sums


def _add_stage(sums: Totals, stage: Stage, channels: int, side: int, padding: str) -> int:
    """Add the first block and its repeats; return the side in pixels that leaves them."""
    form, width = FORMS[type(stage.block)], stage.width
    out = _side_after(stage.block, stage.stride, side, padding)
    form(sums, stage.block, Place(channels, width, side, out, stage.stride))
    if stage.repeats > 1:
        one = Totals()
        form(one, keeping_side(stage.block), Place(width, width, out, out, 1))
        sums.add(one, stage.repeats - 1)
    return out


def _side_after(block: Any, stride: int, side: int, padding: str) -> int:
    if isinstance(block, values.Patches | values.ConvNeXt | values.Transition):
        return side // stride
    if isinstance(block, values.Conv | values.Pool):
        ceil = isinstance(block, values.Pool) and block.ceil
        around = sum(pads(side, block.kernel, stride, padding, block.pad, ceil))
        return (side + around - block.kernel) // stride + 1
    return -(-side // stride)


def _conv(sums: Totals, block: values.Conv, at: Place) -> None:
    sums.conv(at.out, at.channels, at.width, block.kernel, block.groups, block.bias)
    if block.norm:
        sums.norm(at.width)


def _pool(sums: Totals, block: values.Pool, at: Place) -> None:
    if block.op == "max":
        sums.activations += at.out * at.out * at.width


def _free(sums: Totals, block: Any, at: Place) -> None:
    """Local normalisation and dropout cost nothing here."""


def _mlp_conv(sums: Totals, block: values.MLPConv, at: Place) -> None:
    channels, kernel = at.channels, block.kernel
    for width in (*block.inner, at.width):
        sums.conv(at.out, channels, width, kernel, bias=True)
        channels, kernel = width, 1


def _fire(sums: Totals, block: values.Fire, at: Place) -> None:
    squeeze, half = round(at.width * block.squeeze), at.width // 2
    sums.conv(at.out, at.channels, squeeze, bias=True)
    sums.conv(at.out, squeeze, half, bias=True)
    sums.conv(at.out, squeeze, at.width - half, 3, bias=True)


def _mbconv(sums: Totals, block: values.MBConv, at: Place) -> None:
    inner = expanded(at.channels, block.expand)
    if block.expand != 1:
        sums.conv_norm(at.side, at.channels, inner)
    sums.conv_norm(at.out, inner, inner, block.kernel, inner)
    if block.se_ratio:
        sums.squeeze_excite(inner, squeezed(block, at.channels))
    sums.conv_norm(at.out, inner, at.width)


def _fused_mbconv(sums: Totals, block: values.FusedMBConv, at: Place) -> None:
    inner = at.channels * block.expand
    sums.conv_norm(at.out, at.channels, inner, block.kernel)
    sums.conv_norm(at.out, inner, at.width)


def _residual(sums: Totals, block: values.Residual, at: Place) -> None:
    inner, channels, last = round(at.width * block.inner), at.channels, len(block.kernels) - 1
    if block.preact:
        sums.norm(channels)
    for i, kernel in enumerate(block.kernels):
        width, side = at.width if i == last else inner, at.out if i >= block.stride_at else at.side
        sums.conv(side, channels, width, kernel, block.groups if kernel > 1 else 1)
        if not block.preact or i < last:
            sums.norm(width)
        channels = width
    if block.se_ratio:
        sums.squeeze_excite(at.width, round_squeeze(at.width * block.se_ratio))
    if at.changes and block.shortcut != "zero_pad":
        sums.conv(at.out, at.channels, at.width)
        if not block.preact:
            sums.norm(at.width)


def _separable(sums: Totals, block: values.DepthwiseSeparable, at: Place) -> None:
    sums.conv_norm(at.out, at.channels, at.channels, block.kernel, at.channels)
    sums.conv_norm(at.out, at.channels, at.width)


def _shuffle_v1(sums: Totals, block: values.ShuffleV1, at: Place) -> None:
    inner = at.width // 4
    first = 1 if at.changes and block.dense_first else block.groups
    sums.conv_norm(at.side, at.channels, inner, groups=first)
    sums.conv_norm(at.out, inner, inner, block.kernel, inner)
    sums.conv_norm(at.out, inner, at.width - at.channels if at.changes else at.width, groups=block.groups)


def _shuffle_v2(sums: Totals, block: values.ShuffleV2, at: Place) -> None:
    half = at.width // 2
    sums.conv_norm(at.side, at.channels if at.changes else half, half)
    sums.conv_norm(at.out, half, half, block.kernel, half)
    sums.conv_norm(at.out, half, half)
    if at.changes:
        sums.conv_norm(at.out, at.channels, at.channels, block.kernel, at.channels)
        sums.conv_norm(at.out, at.channels, half)


def _x_block(sums: Totals, block: values.XBlock, at: Place) -> None:
    width = at.width
    sums.conv_norm(at.side, at.channels, width)
    sums.conv_norm(at.out, width, width, 3, width // block.group_width)
    if block.se_ratio:
        sums.squeeze_excite(width, max(1, round(at.channels * block.se_ratio)))
    sums.conv_norm(at.out, width, width)
    if at.changes:
        sums.conv_norm(at.out, at.channels, width)


def _dense(sums: Totals, block: values.Dense, at: Place) -> None:
    for channels in range(at.channels, at.width, block.growth):
        inner = block.bottleneck * block.growth or channels
        sums.norm(channels)
        if block.bottleneck:
            sums.conv_norm(at.out, channels, inner)
        sums.conv(at.out, inner, block.growth, 3)


def _transition(sums: Totals, block: values.Transition, at: Place) -> None:
    sums.norm(at.channels)
    sums.conv(at.side, at.channels, at.width)


def _patches(sums: Totals, block: values.Patches, at: Place) -> None:
    sums.conv(at.out, at.channels, at.width, at.stride, bias=True)
    sums.layer_norm(at.width)


def _convnext(sums: Totals, block: values.ConvNeXt, at: Place) -> None:
    if at.changes:
        sums.layer_norm(at.channels)
        sums.conv(at.out, at.channels, at.width, at.stride, bias=True)
    sums.conv(at.out, at.width, at.width, block.kernel, at.width, bias=True)
    sums.layer_norm(at.width)
    sums.conv(at.out, at.width, block.expand * at.width, bias=True)
    sums.conv(at.out, block.expand * at.width, at.width, bias=True)
    sums.params += at.width  # the learned scale


def _add_head(sums: Totals, head: Head, channels: int, side: int, num_classes: int) -> None:
    if head.preact:
        sums.norm(channels)
    if head.width is not None:
        sums.conv_norm(side, channels, head.width)
        channels = head.width
    if head.hidden:
        places, kernel = max(head.grid, side) - head.grid + 1 if head.slide else 1, head.grid
        for width in head.hidden:
            sums.conv(places, channels, width, kernel, bias=True)
            channels, kernel = width, 1
    if head.layer_norm:
        sums.layer_norm(channels)
    sums.conv(side if head.per_pixel else 1, channels, num_classes, bias=True)


FORMS: dict[type, Callable[[Totals, Any, Place], None]] = {
    values.Conv: _conv,
    values.Pool: _pool,
    values.LocalNorm: _free,
    values.Dropout: _free,
    values.MLPConv: _mlp_conv,
    values.Fire: _fire,
    values.MBConv: _mbconv,
    values.FusedMBConv: _fused_mbconv,
    values.Residual: _residual,
    values.DepthwiseSeparable: _separable,
    values.ShuffleV1: _shuffle_v1,
    values.ShuffleV2: _shuffle_v2,
    values.XBlock: _x_block,
    values.Dense: _dense,
    values.Transition: _transition,
    values.Patches: _patches,
    values.ConvNeXt: _convnext,
}
