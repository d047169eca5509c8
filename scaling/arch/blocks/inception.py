"""Inception modules: branches of filters and poolings side by side, and Xception's separable ones."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from scaling.arch import padding as windows
from scaling.arch.blocks.base import Block
from scaling.arch.blocks.pool import Pool
from scaling.arch.fields import WIDTH


@dataclass(frozen=True)
class Filter:
    """A convolution in a branch of `Inception`: `kernel` rows x columns to `width` channels, activated.

    `strided` filters take the stage's stride; `pad` as in `Conv`.
    """

    kernel: tuple[int, int]
    width: int = field(metadata=WIDTH)
    strided: bool = False
    pad: int | None = None

    @property
    def moves(self) -> bool:
        """Whether it may change the side even in a stage of stride 1."""
        return self.pad is not None or self.strided

    def width_after(self, width: int, channels: int) -> int:
        """The channels that leave it, whatever the stage's width and what enters."""
        del width, channels
        return self.width

    def side_after(self, stride: int, side: int, padding: str) -> int:
        """The pixels along an axis that leave where `side` enter, in a stage of that stride."""
        return windows.side_after(side, max(self.kernel), stride if self.strided else 1, padding, self.pad)

    def side_before(self, stride: int, side: int) -> int:
        """The fewest pixels that it turns into `side` in a stage of that stride."""
        return windows.side_before(side, max(self.kernel), stride if self.strided else 1, self.pad)


@dataclass(frozen=True)
class Fork:
    """The split end of a branch: its own branches read the same input, and their outputs are joined."""

    branches: tuple[tuple[Filter, ...], ...]

    @property
    def strided(self) -> bool:
        """Whether a filter of it takes the stage's stride."""
        return any(layer.strided for layer in itertools.chain(*self.branches))

    @property
    def moves(self) -> bool:
        """Whether it may change the side even in a stage of stride 1."""
        return any(layer.moves for layer in itertools.chain(*self.branches))

    def width_after(self, width: int, channels: int) -> int:
        """The channels that leave all of its branches together."""
        return _joined_width(self.branches, width, channels)

    def side_after(self, stride: int, side: int, padding: str) -> int:
        """The pixels along an axis that leave each of its branches."""
        return _side_after(self.branches[0], stride, side, padding)

    def side_before(self, stride: int, side: int) -> int:
        """The fewest pixels that each of its branches turns into `side` at least."""
        return _side_before(self.branches, stride, side)


Branch = tuple[Filter | Pool | Fork, ...]


@dataclass(frozen=True)
class Inception(Block):
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

    @property
    def deepens(self) -> bool:
        return self.act and not any(layer.moves for layer in itertools.chain(*self.branches))

    def problem(self, width: int, stride: int) -> str:
        if stride == 1 or all(sum(layer.strided for layer in branch) == 1 for branch in self.branches):
            return ""
        return (
            f"has stride={stride}, which each branch must take exactly once: mark one filter of each branch "
            f"without pooling as strided in {self}."
        )

    def width_after(self, width: int, channels: int) -> int:
        return channels if self.residual is not None else _joined_width(self.branches, width, channels)

    def side_after(self, stride: int, side: int, padding: str) -> int:
        return _side_after(self.branches[0], stride, side, padding)

    def side_before(self, stride: int, side: int, dilation: int = 1) -> int:
        return _side_before(self.branches, stride, side)


def _joined_width(branches: Iterable[Branch], width: int, channels: int) -> int:
    """The channels of all branches together where `channels` enter each."""
    total = 0
    for branch in branches:
        leaving = channels
        for layer in branch:
            leaving = layer.width_after(width, leaving)
        total += leaving
    return total


def _side_after(branch: Branch, stride: int, side: int, padding: str) -> int:
    """The pixels that leave a branch; all branches of a module leave as many."""
    for layer in branch:
        side = layer.side_after(stride, side, padding)
    return side


def _side_before(branches: Iterable[Branch], stride: int, side: int) -> int:
    """The fewest pixels that each branch turns into `side` at least."""
    most = 0
    for branch in branches:
        entering = side
        for layer in reversed(branch):
            entering = layer.side_before(stride, entering)
        most = max(most, entering)
    return most


@dataclass(frozen=True)
class Xception(Block):
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

    @property
    def deepens(self) -> bool:
        return not (self.reduce or self.post)

    def problem(self, width: int, stride: int) -> str:
        if stride == 1 or self.reduce:
            return ""
        return f"has stride={stride}, but reduce='' takes none: say 'pool' or 'conv'."
