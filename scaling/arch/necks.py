"""Necks as values: what makes a detector's levels of the maps that its backbone has.

A level has half the side of the one before it. The first ones take the place of the backbone's last `maps`,
as many as there are; the rest go on from the coarsest, up to `levels` in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from scaling.arch.fields import DEPTH, LATER, WIDTH
from scaling.arch.totals import Map, Totals

EXTRA = ("c5", "p5", "pool")
FUSIONS = ("fast", "softmax", "sum")
Sides = tuple[int, int]  # rows and columns of a map
MOST_LEVELS = 16  # the coarsest of more would lie thousands of pixels apart
MOST_LAYERS = 1000  # in a row: a file may say any number, and to count them all would take for ever


@dataclass(frozen=True)
class Neck:
    """The base: which maps it reads, and the levels it goes on to."""

    levels: int = 5
    maps: int = 3

    def reads(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        """Of the strides of a network's maps, finest first, return those whose maps it reads."""
        return strides[-min(self.maps, self.levels) :]

    def strides(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        """Return the strides of its levels, given those of the network's maps."""
        read = self.reads(strides)
        return read + tuple(read[-1] * 2**i for i in range(1, self.levels - len(read) + 1))

    def sides(self, maps: Sequence[Sides]) -> tuple[Sides, ...]:
        """Return the (rows, columns) of its levels, given those of the maps that it reads."""
        found = list(maps)
        while len(found) < self.levels:
            found.append(self._next(found[-1], self.levels - len(found)))
        return tuple(found)

    def cost(self, maps: Sequence[Map], sums: Totals) -> list[Map]:
        """Return the levels, and add what it takes to make them of `maps`."""
        raise NotImplementedError

    def problem(self) -> str:
        """What is wrong with its fields; "" where nothing is."""
        fine = self.maps >= 1 and 1 <= self.levels <= MOST_LEVELS
        return (
            ""
            if fine
            else f"needs maps of at least 1, and 1 to {MOST_LEVELS} levels, not {self.maps} and {self.levels}."
        )

    def _next(self, sides: Sides, left: int) -> Sides:
        """The sides of a further level, one of `left` that are still to come, from those before it."""
        del left
        return _halved(sides)


@dataclass(frozen=True)
class Fpn(Neck):
    """A feature pyramid: 1x1 convolutions of the maps, each added to the doubled coarser one, then 3x3.

    Further levels are strided 3x3 convolutions from the backbone's last map (`extra` "c5") or its level
    ("p5"), or every second value of the level before ("pool"). With `norm` the maps' convolutions have batch
    norm in place of a bias. Source: arXiv 1612.03144, 1708.02002 for the further levels; names and details
    are torchvision's.
    """

    width: int = field(default=256, metadata=WIDTH)
    extra: str = "c5"
    norm: bool = field(default=False, metadata=LATER)

    def cost(self, maps: Sequence[Map], sums: Totals) -> list[Map]:
        width, levels = self.width, [Map(self.width, read.side) for read in maps]
        for read in maps:
            for channels, kernel in ((read.channels, 1), (width, 3)):
                sums.conv(read.side, channels, width, kernel, bias=not self.norm)
                if self.norm:
                    sums.norm(width)
        channels = maps[-1].channels if self.extra == "c5" else width
        while len(levels) < self.levels:
            levels.append(Map(width, -(-levels[-1].side // 2)))
            if self.extra != "pool":
                sums.conv(levels[-1].side, channels, width, 3, bias=True)
            channels = width
        return levels

    def problem(self) -> str:
        if self.extra not in EXTRA:
            return f"has extra={self.extra!r}: choose one of {', '.join(EXTRA)}."
        return super().problem() or _below_1(width=self.width)


@dataclass(frozen=True)
class Context(Neck):
    """ThunderNet's context enhancement: one level, the sum of the last map but one, the last and its mean.

    Each goes through a 1x1 convolution first. Source: arXiv 1903.11752 section 3.3.
    """

    levels: int = 1
    maps: int = 2
    width: int = field(default=245, metadata=WIDTH)

    def reads(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        return strides[-2:]

    def strides(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        return self.reads(strides)[:1]

    def sides(self, maps: Sequence[Sides]) -> tuple[Sides, ...]:
        return (maps[0],)

    def cost(self, maps: Sequence[Map], sums: Totals) -> list[Map]:
        finer, last = maps[0], maps[-1]
        for read in (finer, last, Map(last.channels, 1)):
            sums.conv(read.side, read.channels, self.width, bias=True)
        return [Map(self.width, finer.side)]

    def problem(self) -> str:
        if (self.levels, self.maps) != (1, 2):
            return f"makes 1 level of 2 maps, not {self.levels} of {self.maps}."
        return _below_1(width=self.width)


@dataclass(frozen=True)
class BiFpn(Neck):
    """EfficientDet's pyramid: `cells` times down and up again, every node a weighted sum and a separable 3x3.

    `fusion` divides the weights, kept above 0, by their sum ("fast"), takes their softmax, or has none
    ("sum"). With `bias` the convolutions have one before their norm, as in the authors' code.
    Source: arXiv 1911.09070 section 3; names and details are effdet's.
    """

    width: int = field(default=64, metadata=WIDTH)
    cells: int = field(default=3, metadata=DEPTH)
    fusion: str = "fast"
    bias: bool = True

    def nodes(self) -> list[tuple[int, tuple[int, ...]]]:
        """Return the level and the inputs of a cell's nodes: down to the finest level, up to the coarsest.

        Inputs are numbered: first the levels that reach the cell, then its nodes. The last `levels` nodes
        are what leaves.
        """
        made, seen = [], [[level] for level in range(self.levels)]
        for level in range(self.levels - 2, -1, -1):
            made.append((level, (seen[level][-1], seen[level + 1][-1])))
            seen[level].append(self.levels + len(made) - 1)
        for level in range(1, self.levels):
            made.append((level, (*seen[level], seen[level - 1][-1])))
            seen[level].append(self.levels + len(made) - 1)
        return made

    def cost(self, maps: Sequence[Map], sums: Totals) -> list[Map]:
        levels = list(maps)
        while len(levels) < self.levels:
            fitted = self._fit(levels[-1], sums)
            levels.append(_resample(fitted, -(-fitted.side // 2), sums))
        for _ in range(self.cells):
            found = list(levels)
            for level, inputs in self.nodes():
                side = levels[level].side
                for read in inputs:
                    _resample(self._fit(found[read], sums), side, sums)
                sums.params += len(inputs) if self.fusion != "sum" else 0
                sums.conv(side, self.width, self.width, 3, self.width)
                sums.conv(side, self.width, self.width, bias=self.bias)
                sums.norm(self.width)
                found.append(Map(self.width, side))
            levels = found[-self.levels :]
        return levels

    def _fit(self, read: Map, sums: Totals) -> Map:
        if read.channels != self.width:
            sums.conv(read.side, read.channels, self.width, bias=self.bias)
            sums.norm(self.width)
        return Map(self.width, read.side)

    def problem(self) -> str:
        if self.fusion not in FUSIONS:
            return f"has fusion={self.fusion!r}: choose one of {', '.join(FUSIONS)}."
        if self.levels < 2:
            return f"joins levels, so levels={self.levels} must be at least 2."
        return super().problem() or _below_1(width=self.width) or outside(cells=self.cells)


@dataclass(frozen=True)
class Extras(Neck):
    """SSD's: the maps as they are, and after the last ones a 1x1 to half the width and a strided 3x3 each.

    `widths` are those of further levels, the last one for all that follow. The last `unpadded` ones have a
    3x3 that neither pads nor strides, while a side of 3 is left. `rescale` divides the values of the first
    map at each place by their norm, times a factor a channel that is learnt from that number on (None: leaves
    it). `separable` has depthwise and 1x1 convolutions with batch norm, and `act` ("": the network's).
    Source: arXiv 1512.02325 section 2.1, 1801.04381 for the separable ones; details are torchvision's.
    """

    levels: int = 6
    maps: int = 2
    widths: tuple[int, ...] = field(default=(512, 256, 256, 256), metadata=WIDTH)
    unpadded: int = 0
    rescale: float | None = 20.0
    separable: bool = False
    act: str = ""

    def problem(self) -> str:
        return super().problem() or _below_1(widths=min(self.widths, default=0))

    def cost(self, maps: Sequence[Map], sums: Totals) -> list[Map]:
        levels = list(maps)
        while len(levels) < self.levels:
            read, width = levels[-1], self.width(len(levels) - len(maps))
            side, _ = self._next((read.side, read.side), self.levels - len(levels))
            levels.append(Map(width, side))
            inner = max(1, width // 2)
            if self.separable:
                sums.conv_norm(read.side, read.channels, inner)
                sums.conv_norm(side, inner, inner, 3, inner)
                sums.conv_norm(side, inner, width)
            else:
                sums.conv(read.side, read.channels, inner, bias=True)
                sums.conv(side, inner, width, 3, bias=True)
        sums.params += 0 if self.rescale is None else levels[0].channels
        return levels

    def width(self, index: int) -> int:
        """Return the width of a further level."""
        return self.widths[min(index, len(self.widths) - 1)]

    def strides_at(self, sides: Sides, left: int) -> bool:
        """Whether a further level, one of `left` still to come, pads and strides a map of such sides."""
        return left > self.unpadded or min(sides) < 3

    def _next(self, sides: Sides, left: int) -> Sides:
        return _halved(sides) if self.strides_at(sides, left) else (sides[0] - 2, sides[1] - 2)


def _halved(sides: Sides) -> Sides:
    return -(-sides[0] // 2), -(-sides[1] // 2)


def _resample(read: Map, side: int, sums: Totals) -> Map:
    """Add the pooling from a larger map to a side; what then repeats values costs nothing."""
    if (step := pooling_step(read.side, side)) > 1:
        sums.activations += (-(-read.side // step)) ** 2 * read.channels
    return Map(read.channels, side)


def pooling_step(have: int, want: int) -> int:
    """The stride of the pooling that takes a side nearest to another."""
    return max(1, int(have / want + 0.5))


def outside(**numbers: int) -> str:
    """Say which number of layers cannot be built; "" where all can."""
    wrong = [f"{name}={number}" for name, number in numbers.items() if not 1 <= number <= MOST_LAYERS]
    return f"has {wrong[0]}, which must be 1 to {MOST_LAYERS}." if wrong else ""


def _below_1(**numbers: int) -> str:
    wrong = [f"{name}={number}" for name, number in numbers.items() if number < 1]
    return f"has {wrong[0]}, which must be at least 1." if wrong else ""


KINDS = (Fpn, Context, BiFpn, Extras)
