"""The block values that a stage repeats: frozen dataclasses, each citing its paper."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import get_args

from scaling.arch.blocks.cell import Cell

# Marks a block's field that counts channels: `field(metadata=WIDTH)`. Width scaling reaches it.
WIDTH = {"width": True}
# Marks one that counts layers: depth scaling reaches it, and leaves the stage's repeats alone.
DEPTH = {"depth": True}
# Marks a field that came later: JSON leaves it out at its default, so that older texts and ids stay.
LATER = {"later": True}


@dataclass(frozen=True)
class Conv:
    """A k x k convolution, normalised and activated; with `skip`, a residual where shapes allow.

    `pad` pixels of zeros go on every side (None: as many as the network's padding asks for).
    """

    kernel: int = 3
    groups: int = 1
    norm: bool = True
    act: bool = True
    skip: bool = False
    bias: bool = False
    pad: int | None = field(default=None, metadata=LATER)


@dataclass(frozen=True)
class Pool:
    """A k x k spatial pooling, "max" or "avg"; the stage's width must equal its input's.

    `pad` as in `Conv`; with `ceil` a last window that begins inside the image counts, as in Caffe. Padded
    pixels count for no maximum, and for no average but with `count_pad`.
    """

    op: str = "max"
    kernel: int = 3
    pad: int | None = field(default=None, metadata=LATER)
    ceil: bool = field(default=False, metadata=LATER)
    count_pad: bool = field(default=False, metadata=LATER)


@dataclass(frozen=True)
class LocalNorm:
    """Local response normalisation: x / (bias + alpha * sum of squares over `size` channels)**beta.

    Source: Krizhevsky et al., NIPS 2012, section 3.3.
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    bias: float = 2.0


@dataclass(frozen=True)
class Dropout:
    """Zero single values with the network's `drop_rate` while training; among the stages, not the stem."""


@dataclass(frozen=True)
class MLPConv:
    """A k x k convolution and 1x1 ones after it, each with bias and activation: a small net a pixel.

    `inner` are the widths before the last, which is the stage's. Source: arXiv 1312.4400 section 3.1.
    """

    kernel: int = 3
    inner: tuple[int, ...] = field(default=(192, 192), metadata=WIDTH)


@dataclass(frozen=True)
class Fire:
    """A 1x1 convolution to `squeeze` times the width, then half the width from 1x1 and half from 3x3.

    Source: arXiv 1602.07360 section 3.2.
    """

    squeeze: float = 0.125


@dataclass(frozen=True)
class MBConv:
    """Inverted bottleneck: 1x1 expand, k x k depthwise, squeeze-excite, 1x1 project.

    `se_ratio` is relative to the block's *input* width, as in EfficientNet's own code; with
    `se_expanded` to the expanded width, rounded to a multiple of 8, as in MobileNetV3. `se_gate` is
    "sigmoid" or "hard_sigmoid". `act` and `se_act` name the block's activation and the squeeze's ("":
    the network's, and the block's). A fractional `expand` gives an inner width rounded to a multiple of 8.
    Where shapes allow, the input is added, unless `skip` says no.
    Source: arXiv 1801.04381, arXiv 1807.11626, arXiv 1905.02244.
    """

    kernel: int = 3
    expand: float = 6
    se_ratio: float = 0.25
    act: str = field(default="", metadata=LATER)
    se_expanded: bool = field(default=False, metadata=LATER)
    se_act: str = field(default="", metadata=LATER)
    se_gate: str = field(default="sigmoid", metadata=LATER)
    skip: bool = field(default=True, metadata=LATER)


@dataclass(frozen=True)
class FusedMBConv:
    """Inverted bottleneck whose expansion is one k x k convolution. Source: arXiv 2104.00298."""

    kernel: int = 3
    expand: int = 4


@dataclass(frozen=True)
class Residual:
    """A residual block: convolutions of sizes `kernels` at an inner width, added to a shortcut.

    `inner` is the inner width over the block's output width (0.25 for a bottleneck, 1 for a basic
    block); `stride_at` the index of the strided convolution; `groups` those of the convolutions
    larger than 1x1 in a bottleneck. `shortcut` where shapes change: "projection" (1x1), "pool"
    (average pool, then 1x1; ResNet-D) or "zero_pad" (subsample and pad; option A).
    `preact` puts norm and activation before each convolution and a bare 1x1 on the shortcut.
    Source: arXiv 1512.03385, 1603.05027, 1611.05431, 1709.01507.
    """

    kernels: tuple[int, ...] = (3, 3)
    inner: float = 1.0
    stride_at: int = 0
    groups: int = 1
    se_ratio: float = 0.0
    shortcut: str = "projection"
    preact: bool = False


@dataclass(frozen=True)
class DepthwiseSeparable:
    """A k x k depthwise and a 1x1 convolution, each normalised and activated. Source: arXiv 1704.04861."""

    kernel: int = 3


@dataclass(frozen=True)
class ShuffleV1:
    """1x1 in groups, channel shuffle, k x k depthwise, 1x1 in groups; inner width a quarter of the output's.

    Added to its input; joined to the average-pooled input where shapes change. With `dense_first` the
    first 1x1 convolution there has no groups. The width must be a multiple of 4 `groups`.
    Source: arXiv 1707.01083.
    """

    kernel: int = 3
    groups: int = 3
    dense_first: bool = False


@dataclass(frozen=True)
class ShuffleV2:
    """Half of the channels through 1x1, k x k depthwise, 1x1, then a shuffle. Source: arXiv 1807.11164."""

    kernel: int = 3


@dataclass(frozen=True)
class XBlock:
    """RegNet's block: 1x1, 3x3 in groups of `group_width` channels, 1x1, all of one width, plus a shortcut.

    `se_ratio` above 0 makes it the Y block, squeeze-excited after the 3x3; it is relative to the block's
    *input* width. Source: arXiv 2003.13678 Figure 4.
    """

    group_width: int = field(default=8, metadata=WIDTH)
    se_ratio: float = 0.0


@dataclass(frozen=True)
class Dense:
    """A dense block: each of `layers` reads all channels before it and appends `growth` of its own.

    A layer is a 3x3 convolution after norm and activation; with `bottleneck` above 0 a 1x1 to
    bottleneck * growth channels, as well after norm and activation, comes first. The stage's width
    follows from its input's. Source: arXiv 1608.06993 section 3.
    """

    growth: int = field(default=32, metadata=WIDTH)
    layers: int = field(default=6, metadata=DEPTH)
    bottleneck: int = 4


@dataclass(frozen=True)
class Transition:
    """Between dense blocks: norm, activation, 1x1 convolution, average pooling by the stage's stride.

    The stage's width follows: `compression` times its input's, rounded down. Source: arXiv 1608.06993.
    """

    compression: float = 0.5


@dataclass(frozen=True)
class Patches:
    """Squares of the stage's stride as side, each a linear map to the stage's width; then layer norm."""


@dataclass(frozen=True)
class ConvNeXt:
    """k x k depthwise convolution, layer norm, 1x1 to `expand` times the width, activation, 1x1 back.

    A learned scale a channel, then the residual. Where the stage changes stride or width, layer norm and
    `Patches` without a norm come before the first block. Source: arXiv 2201.03545 Figure 4.
    """

    kernel: int = 7
    expand: int = 4


@dataclass(frozen=True)
class Filter:
    """A convolution in a branch of `Inception`: `kernel` rows x columns to `width` channels, activated.

    `strided` filters take the stage's stride; `pad` as in `Conv`.
    """

    kernel: tuple[int, int]
    width: int = field(metadata=WIDTH)
    strided: bool = False
    pad: int | None = None


@dataclass(frozen=True)
class Fork:
    """The split end of a branch: its own branches read the same input, and their outputs are joined."""

    branches: tuple[tuple[Filter, ...], ...]


Branch = tuple[Filter | Pool | Fork, ...]


@dataclass(frozen=True)
class Inception:
    """Branches of layers side by side, whose outputs are joined; the stage's width follows from them.

    The stage's stride is taken by poolings and by filters marked so, one a branch. Filters are
    normalised, or with `norm=False` have a bias. With a `residual` scale, what is joined goes through a
    bare 1x1 convolution to the input's width and, so scaled, is added to the input, then activated (but
    not with `act=False`). Source: arXiv 1409.4842 section 4, 1512.00567, 1602.07261.
    """

    branches: tuple[Branch, ...]
    norm: bool = True
    residual: float | None = None
    act: bool = True


@dataclass(frozen=True)
class Xception:
    """Convolutions, 3x3 depthwise then 1x1, to the widths `inner` and then to the stage's, and a shortcut.

    An activation precedes each (the first where `first_act`), a norm follows each, with `norm_depthwise`
    the depthwise part too. `reduce` says how the stage's stride is taken: by a max "pool" after all, or by
    the last depthwise "conv". With `post` norms are activated instead and there is no shortcut: an exit
    flow. Source: arXiv 1610.02357 Figure 5.
    """

    inner: tuple[int, ...] = field(metadata=WIDTH)
    reduce: str = ""
    first_act: bool = True
    norm_depthwise: bool = False
    post: bool = False


Block = (
    Conv
    | Pool
    | MBConv
    | FusedMBConv
    | Residual
    | DepthwiseSeparable
    | ShuffleV1
    | ShuffleV2
    | LocalNorm
    | Dropout
    | MLPConv
    | Fire
    | XBlock
    | Dense
    | Transition
    | Patches
    | ConvNeXt
    | Inception
    | Xception
    | Cell
)

# Blocks that never repeat, as their width follows from their input's alone; see `repeats` for others
SINGLE = (Pool, LocalNorm, Dropout, Dense, Transition)
BLOCKS = get_args(Block)


def repeats(block: Block) -> bool:
    """Whether a block can follow itself in a stage, so that depth scaling multiplies it."""
    if isinstance(block, Inception):
        return block.act and not any(_moves(layer) for layer in _layers(block))
    if isinstance(block, Xception):
        return not (block.reduce or block.post)
    return not isinstance(block, SINGLE)


def _layers(value: Inception | Fork) -> Iterator[Filter | Pool]:
    for layer in itertools.chain(*value.branches):
        if isinstance(layer, Fork):
            yield from _layers(layer)
        else:
            yield layer


def _moves(layer: Filter | Pool) -> bool:
    """Whether a layer may change the side even in a stage of stride 1."""
    return layer.pad is not None or (isinstance(layer, Filter) and layer.strided)


LEADING = ("first", "second")  # names of the blocks of a stage that differ from the equal ones after them


def reads_two(block: Block) -> bool:
    """Whether the block reads the two outputs before it, not one."""
    return isinstance(block, Cell) and block.inputs == 2


def leading_blocks(block: Block) -> int:
    """How many of `LEADING` a stage of such blocks has."""
    return 2 if reads_two(block) else 1


def width_after(block: Block, width: int, channels: int) -> int:
    """The channels that leave a block which `channels` enter: `width`, unless the block decides."""
    if isinstance(block, Dense):
        return channels + block.layers * block.growth
    if isinstance(block, Transition):
        return int(channels * block.compression)
    if isinstance(block, Inception):
        return channels if block.residual is not None else joined_width(block, channels)
    return channels if isinstance(block, Pool | LocalNorm | Dropout) else width


def joined_width(value: Inception | Fork, channels: int) -> int:
    """The channels of all branches together where `channels` enter each."""
    return sum(_branch_width(branch, channels) for branch in value.branches)


def _branch_width(branch: Branch, channels: int) -> int:
    for layer in branch:
        if isinstance(layer, Fork):
            channels = joined_width(layer, channels)
        elif isinstance(layer, Filter):
            channels = layer.width
    return channels


def unlike_strides(block: Inception) -> bool:
    """Whether some branch does not take the stage's stride exactly once."""
    return any(sum(map(_strides, branch)) != 1 for branch in block.branches)


def _strides(layer: Filter | Pool | Fork) -> bool:
    if isinstance(layer, Fork):
        return any(map(_strides, _layers(layer)))
    return isinstance(layer, Pool) or layer.strided


def keeping_side(block: Block) -> Block:
    """The block with the padding that keeps the side at stride 1."""
    return dataclasses.replace(block, pad=None) if isinstance(block, Conv | Pool) else block


def side_before(block: Block, stride: int, side: int, dilation: int = 1) -> int:
    """The smallest side that a block turns into `side` pixels, given the padding that it states."""
    if isinstance(block, Inception):
        return max(_side_before_branch(branch, stride, side) for branch in block.branches)
    if isinstance(block, Patches | ConvNeXt | Transition):
        return (side - 1) * stride + 1 + (stride - 1) * dilation
    if not isinstance(block, Conv | Pool) or block.pad is None:
        return (side - 1) * stride + 1
    if isinstance(block, Pool) and block.ceil:
        inside = (side - 1) * stride - block.pad + 1
        return max(1, inside, (side - 2) * stride + block.kernel - 2 * block.pad + 1)
    return max(1, (side - 1) * stride + 1 + (block.kernel - 1 - 2 * block.pad) * dilation)


def _side_before_branch(branch: Branch, stride: int, side: int) -> int:
    for layer in reversed(branch):
        if isinstance(layer, Fork):
            side = max(_side_before_branch(end, stride, side) for end in layer.branches)
        elif isinstance(layer, Pool):
            side = side_before(layer, stride, side)
        else:
            as_conv = Conv(max(layer.kernel), pad=layer.pad)
            side = side_before(as_conv, stride if layer.strided else 1, side)
    return side
