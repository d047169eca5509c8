"""Heads that answer for every place of an image, as values: which maps they read and what they make of them.

They take the place of a `Head` in `Arch.head`; the network then returns {"out": (n, h, w, classes)}.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from scaling.arch.fields import DEPTH, LATER, WIDTH
from scaling.arch.norm import Norm
from scaling.arch.totals import Map, Totals

# Sides of the windows of which four outputs make four pixels: of stride 2, a 2x2 window overlaps none
UP_KERNELS = {"transposed": 1, "shuffle": 3}
UPSAMPLINGS = ("bilinear", "nearest", *UP_KERNELS)


def too_far(strides: Sequence[int]) -> str:
    """Say between which maps is more than the 2 that `UP_KERNELS` go up by; "" where nowhere."""
    far = [pair for pair in pairwise(strides) if pair[1] > 2 * pair[0]]
    told = "let strides at most double from map to map."
    return (
        f"goes up by 2 at a time, but from stride {far[0][1]} to {far[0][0]} is more: {told}" if far else ""
    )


@dataclass(frozen=True)
class MapHead:
    """The base: reads the last map, and refuses nothing."""

    def reads(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        """Of the strides of a network's maps, finest first, return those whose maps it reads."""
        return strides[-1:]

    def places(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        """Return the maps it reads, in order, by the stride of every map: the last of each stride."""
        read = self.reads(tuple(sorted(set(strides))))
        return tuple(max(i for i, found in enumerate(strides) if found == stride) for stride in read)

    def problem(self, strides: tuple[int, ...]) -> str:
        """What keeps it from a network with maps of these strides; "" where nothing does."""
        del strides
        return ""

    def cost(self, maps: Sequence[Map], classes: int, side: int) -> Totals | None:
        """Return what it costs to answer `side` x `side` pixels; None: count the network instead."""
        del maps, classes, side
        return None


@dataclass(frozen=True)
class OwnLayers(MapHead):
    """A head whose layers may be of another kind than the network's, and follow its last convolution.

    `last` is the width of that 1x1 convolution (None: there is none), which is of the network's kind, as
    `Head.width`; `act` and `norm` are those of the head's own layers ("", None: the network's)."""

    last: int | None = field(default=None, kw_only=True, metadata={**WIDTH, **LATER})
    act: str = field(default="", kw_only=True, metadata=LATER)
    norm: Norm | None = field(default=None, kw_only=True, metadata=LATER)

    def entering(self, read: Map, sums: Totals) -> Map:
        """Return the map that the head's own layers read, and add what it takes to get there."""
        if self.last is None:
            return read
        sums.conv_norm(read.side, read.channels, self.last)
        return Map(self.last, read.side)


@dataclass(frozen=True)
class Fcn(MapHead):
    """A 3x3 convolution, dropout and classes a pixel; maps of the strides `skips` add scores of their own.

    `width` is that of the convolution (None: a quarter of its input). FCN-16 has skips=(16,), FCN-8 (16, 8).
    Source: arXiv 1411.4038 for the skips, torchvision's FCNHead for the rest.
    """

    width: int | None = field(default=None, metadata=WIDTH)
    skips: tuple[int, ...] = ()
    drop_rate: float = 0.1

    def reads(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        return (*sorted(self.skips), strides[-1])

    def problem(self, strides: tuple[int, ...]) -> str:
        wrong = [stride for stride in self.skips if stride not in strides[:-1]]
        return f"skips stride {wrong[0]}; the maps before the last have {strides[:-1]}." if wrong else ""

    def cost(self, maps: Sequence[Map], classes: int, side: int) -> Totals:
        sums, (*finer, last) = Totals(), maps
        width = self.width or max(1, last.channels // 4)
        sums.conv_norm(last.side, last.channels, width, 3)
        sums.conv(last.side, width, classes, bias=True)
        at = last.side
        for skip in reversed(finer):
            sums.resize(at, skip.side, classes)
            sums.conv(skip.side, skip.channels, classes, bias=True)
            at = skip.side
        sums.resize(at, side, classes)
        return sums


@dataclass(frozen=True)
class Aspp(OwnLayers):
    """DeepLabV3's head: convolutions of several dilations and the mean, side by side, then joined.

    Source: arXiv 1706.05587 section 3.3; for networks with an `output_stride` of 8 or 16.
    """

    width: int = field(default=256, metadata=WIDTH)
    rates: tuple[int, ...] = (12, 24, 36)
    drop_rate: float = 0.5

    def cost(self, maps: Sequence[Map], classes: int, side: int) -> Totals:
        sums, width = Totals(), self.width
        last = self.entering(maps[-1], sums)
        for kernel, at in [(1, last.side), *((3, last.side) for _ in self.rates), (1, 1)]:
            sums.conv_norm(at, last.channels, width, kernel)
        sums.conv_norm(last.side, (2 + len(self.rates)) * width, width)
        sums.conv_norm(last.side, width, width, 3)
        sums.conv(last.side, width, classes, bias=True)
        sums.resize(last.side, side, classes)
        return sums


@dataclass(frozen=True)
class LrAspp(OwnLayers):
    """MobileNetV3's lite head: the last map, gated by its mean, and a finer map add their scores.

    The finer map is the first of stride `low`. Source: arXiv 1905.02244 section 6.4, with the mean over the
    whole map as torchvision takes it."""

    width: int = field(default=128, metadata=WIDTH)
    low: int = 8

    def reads(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        return (self.low, strides[-1])

    def places(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        return (strides.index(self.low), len(strides) - 1)

    def problem(self, strides: tuple[int, ...]) -> str:
        fits = self.low in strides[:-1]
        return "" if fits else f"reads stride {self.low}; the maps before the last have {strides[:-1]}."

    def cost(self, maps: Sequence[Map], classes: int, side: int) -> Totals:
        sums, width, low = Totals(), self.width, maps[0]
        high = self.entering(maps[-1], sums)
        sums.conv_norm(high.side, high.channels, width)
        sums.conv(1, high.channels, width)
        sums.resize(high.side, low.side, width)
        for channels in (width, low.channels):
            sums.conv(low.side, channels, classes, bias=True)
        sums.resize(low.side, side, classes)
        return sums


@dataclass(frozen=True)
class UNet(MapHead):
    """A decoder that goes up through all maps to stride `finest`, and to the image from there.

    At every map: upsampling, the map beside it, `convs` 3x3 convolutions. `widths` go from the coarsest step
    to the finest; the last one serves for more steps. `upsampling` is bilinear, nearest, transposed (a 2x2
    transposed convolution) or shuffle (a 3x3 convolution and sub-pixels); for these two, strides at most
    double from map to map. Source: arXiv 1505.04597."""

    widths: tuple[int, ...] = field(default=(256, 128, 64, 32), metadata=WIDTH)
    convs: int = field(default=2, metadata=DEPTH)
    upsampling: str = "bilinear"
    finest: int = 1

    def reads(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(stride for stride in strides if stride >= self.finest)

    def problem(self, strides: tuple[int, ...]) -> str:
        if self.upsampling not in UPSAMPLINGS:
            return f"has upsampling={self.upsampling!r}: choose one of {', '.join(UPSAMPLINGS)}."
        if min((*self.widths, self.convs, len(self.widths)), default=0) < 1:
            return f"needs widths and convs of at least 1, not {self.widths} and {self.convs}."
        if not (read := self.reads(strides)):
            return f"reads strides from {self.finest} on; the maps have {strides}."
        return too_far(read) if self.upsampling in UP_KERNELS else ""

    def cost(self, maps: Sequence[Map], classes: int, side: int) -> Totals:
        sums, (*finer, read) = Totals(), maps
        for step, skip in enumerate(reversed(finer)):
            width = self.widths[min(step, len(self.widths) - 1)]
            channels = self._up(sums, read, skip.side, width) + skip.channels
            for _ in range(self.convs):
                sums.conv_norm(skip.side, channels, width, 3)
                channels = width
            read = Map(width, skip.side)
        sums.conv(read.side, read.channels, classes, bias=True)
        sums.resize(read.side, side, classes)
        return sums

    def _up(self, sums: Totals, read: Map, side: int, width: int) -> int:
        """Add what it takes to bring a map to `side`; return the channels it then has."""
        if self.upsampling in UP_KERNELS:
            sums.conv(read.side, read.channels, 4 * width, UP_KERNELS[self.upsampling], bias=True)
            return width
        if self.upsampling == "bilinear":  # nearest copies
            sums.resize(read.side, side, read.channels)
        return read.channels


# By the names that a config's `model.head` takes
MAP_HEADS: dict[str, MapHead] = {
    "fcn": Fcn(),
    "fcn16": Fcn(skips=(16,)),
    "fcn8": Fcn(skips=(16, 8)),
    "deeplabv3": Aspp(),
    "lraspp": LrAspp(),
    "unet": UNet(),
}
KINDS = (Fcn, Aspp, LrAspp, UNet)
