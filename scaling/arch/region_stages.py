"""What tells the boxes of a detector in two stages, as values: its second stage, and what draws masks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from scaling.arch.fields import LATER, WIDTH
from scaling.arch.totals import Map, Totals

KEY = 64  # numbers by which a head of attention compares two boxes: arXiv 1711.11575 section 3.1
PLACE = 64  # numbers that tell how one lies to the other


@dataclass(frozen=True)
class RegionStage:
    """The base: boxes are read from the levels that stand for the backbone's maps."""

    def problem(self) -> str:
        """What is wrong with its fields; "" where nothing is."""
        return ""

    def cost(self, levels: Sequence[Map], classes: int, regions: int) -> Totals:
        """Return what it costs to tell so many boxes."""
        raise NotImplementedError


@dataclass(frozen=True)
class Unique:
    """What tells the one box of a thing from its duplicates, in the place of suppression.

    Of each class the `boxes` likeliest attend to each other by so many `heads`, as vectors of a `width` that
    are told of what a box holds and of its rank; a box counts as much less as it is likely a duplicate.
    Source: arXiv 1711.11575 section 4.3.
    """

    boxes: int = 100
    width: int = field(default=128, metadata=WIDTH)
    heads: int = 16

    def problem(self) -> str:
        """What is wrong with its fields; "" where nothing is."""
        return _too_small(self.boxes, self.width, self.heads)

    def cost(self, channels: int, classes: int, regions: int) -> Totals:
        """Return what it costs to tell so many boxes, known by so many channels, of each class but one."""
        read, rank, each, pairs = Totals(), Totals(), Totals(), Totals()
        read.conv(1, channels, self.width, bias=True)
        rank.conv(1, self.width, self.width, bias=True)
        _add_relation(each, pairs, self.width, self.heads)
        each.conv(1, self.width, 1, bias=True)
        boxes, kinds = min(self.boxes, regions), classes - 1
        sums = _for_all(read, regions)
        for part, count in ((rank, boxes), (each, kinds * boxes), (pairs, kinds * boxes**2)):
            sums.add(_for_all(part, count))
        return sums


@dataclass(frozen=True)
class BoxStage(RegionStage):
    """Faster R-CNN's: a box's values as a grid, 3x3 convolutions of the widths `convs` (`norm`: batch norm),
    fully connected layers of the widths `hidden`, a prediction of classes and one of a box a class. After
    each connected layer boxes may attend to each other by so many heads (`relations`, 0: none); `unique`
    tells duplicates.

    Source: arXiv 1504.08083 section 2, 1612.03144 section 4.2, names and details are torchvision's; arXiv
    1711.11575 section 4.1 for the relations.
    """

    grid: int = 7
    convs: tuple[int, ...] = field(default=(), metadata=WIDTH)
    hidden: tuple[int, ...] = field(default=(1024, 1024), metadata=WIDTH)
    norm: bool = False
    relations: int = 0
    unique: Unique | None = field(default=None, metadata=LATER)

    def problem(self) -> str:
        if self.relations < 0:
            return f"has relations={self.relations}: 0 leaves boxes by themselves."
        sizes = _too_small(self.grid, *self.convs, *(self.hidden or (0,)))
        return sizes or (self.unique.problem() if self.unique else "")

    def cost(self, levels: Sequence[Map], classes: int, regions: int) -> Totals:
        each, channels = Totals(), levels[0].channels
        channels = _add_convolutions(each, self.grid, channels, self.convs, self.norm)
        _add_connected(each, channels * self.grid**2, self.hidden, (classes, 4 * classes))
        pairs = Totals()
        for width in self.hidden if self.relations else ():
            _add_relation(each, pairs, width, self.relations)
        sums = _for_all(each, regions)
        sums.add(_for_all(pairs, regions**2))
        if self.unique:
            sums.add(self.unique.cost(self.hidden[-1], classes, regions))
        return sums


@dataclass(frozen=True)
class ScoreMaps(RegionStage):
    """R-FCN's: a map of scores for every class and place of a `grid` in a box, averaged over that grid.

    So all layers are the image's, and of a box only means are taken. Boxes are told without regard to their
    class. It reads the finest level. Source: arXiv 1605.06409 section 2.
    """

    grid: int = 7

    def problem(self) -> str:
        return _too_small(self.grid)

    def cost(self, levels: Sequence[Map], classes: int, regions: int) -> Totals:
        del regions
        sums, read = Totals(), levels[0]
        for outputs in (classes, 4):
            sums.conv(read.side, read.channels, outputs * self.grid**2, bias=True)
        return sums


@dataclass(frozen=True)
class LightHead(RegionStage):
    """Light-Head R-CNN's: `thin` maps for every place of a `grid`, by a separable convolution of a large
    `kernel` (1: a 1x1), pooled by place; then fully connected layers and the predictions.

    `inner` is the width between the convolution's two halves. Boxes are told without regard to their class.
    It reads the finest level. Source: arXiv 1711.07264 section 3; with a kernel of 1, arXiv 1903.11752.
    """

    grid: int = 7
    thin: int = 10
    kernel: int = 15
    inner: int = field(default=256, metadata=WIDTH)
    hidden: tuple[int, ...] = field(default=(2048,), metadata=WIDTH)

    def problem(self) -> str:
        return _too_small(self.grid, self.thin, self.kernel, self.inner, *(self.hidden or (0,)))

    def cost(self, levels: Sequence[Map], classes: int, regions: int) -> Totals:
        sums, each, read = Totals(), Totals(), levels[0]
        maps = self.thin * self.grid**2
        if self.kernel == 1:
            sums.conv(read.side, read.channels, maps, bias=True)
        else:
            for _ in range(2):
                sums.conv(read.side, self.kernel * read.channels, self.inner)
                sums.conv(read.side, self.kernel * self.inner, maps, bias=True)
        _add_connected(each, maps, self.hidden, (classes, 4))
        sums.add(_for_all(each, regions))
        return sums


@dataclass(frozen=True)
class SpatialPyramid(RegionStage):
    """SPP-net's: the largest values of a box in grids of several sizes, side by side, fully connected layers,
    the predictions. It reads the finest level. Source: arXiv 1406.4729 sections 2.2 and 4.1.
    """

    grids: tuple[int, ...] = (1, 2, 3, 6)
    hidden: tuple[int, ...] = field(default=(1024, 1024), metadata=WIDTH)

    def problem(self) -> str:
        return _too_small(*(self.grids or (0,)), *(self.hidden or (0,)))

    def cost(self, levels: Sequence[Map], classes: int, regions: int) -> Totals:
        each = Totals()
        places = sum(grid**2 for grid in self.grids)
        _add_connected(each, places * levels[0].channels, self.hidden, (classes, 4 * classes))
        return _for_all(each, regions)


@dataclass(frozen=True)
class MaskStage(RegionStage):
    """What draws a box's mask for every class: a grid, 3x3 convolutions (`norm`: with batch norm), one that
    doubles the grid, a 1x1.

    Of the network's own boxes the first `regions` are drawn, of boxes that it is given all.
    Source: arXiv 1703.06870 Figure 4; names and details are torchvision's.
    """

    grid: int = 14
    convs: tuple[int, ...] = field(default=(256, 256, 256, 256), metadata=WIDTH)
    width: int = field(default=256, metadata=WIDTH)
    regions: int = 100
    norm: bool = field(default=False, metadata=LATER)

    def problem(self) -> str:
        return _too_small(self.grid, self.width, self.regions, *self.convs)

    def cost(self, levels: Sequence[Map], classes: int, regions: int) -> Totals:
        each, channels = Totals(), levels[0].channels
        channels = _add_convolutions(each, self.grid, channels, self.convs, self.norm)
        each.conv(self.grid, channels, 4 * self.width)
        each.params += self.width
        each.macs += 4 * self.grid**2 * self.width
        each.conv(2 * self.grid, self.width, classes, bias=True)
        return _for_all(each, min(regions, self.regions))


def _add_convolutions(each: Totals, grid: int, channels: int, convs: Sequence[int], norm: bool) -> int:
    """Add 3x3 convolutions of these widths on a grid; return the channels they leave."""
    for width in convs:
        each.conv(grid, channels, width, 3, bias=not norm)
        if norm:
            each.norm(width)
        channels = width
    return channels


def _add_connected(each: Totals, channels: int, hidden: Sequence[int], predictions: Sequence[int]) -> None:
    """Add fully connected layers in a row, and predictions of the last of them."""
    for width in hidden:
        each.conv(1, channels, width, bias=True)
        channels = width
    for outputs in predictions:
        each.conv(1, channels, outputs, bias=True)


def _add_relation(each: Totals, pairs: Totals, width: int, heads: int) -> None:
    """Add what a head of attention costs for each box, and for each pair of boxes."""
    heads = math.gcd(heads, width)
    for features in (heads * KEY, heads * KEY, width):
        each.conv(1, width, features, bias=True)
    each.activations += width
    pairs.conv(1, PLACE, heads, bias=True)
    pairs.macs += heads * KEY + width
    pairs.activations += heads


def _for_all(each: Totals, regions: int) -> Totals:
    """What it costs to run layers over so many boxes."""
    return Totals(each.params, each.batch_stats, regions * each.macs, regions * each.activations)


def _too_small(*sizes: int) -> str:
    return "" if min(sizes) >= 1 else f"has sizes of {sizes} in its second stage: all must be at least 1."


KINDS = (BoxStage, ScoreMaps, LightHead, SpatialPyramid, MaskStage, Unique)
