"""A head of two: a judge of the last map, and the generator of pictures that it is to tell from data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from scaling.arch.fields import DEPTH, SIDE, WIDTH
from scaling.arch.map_heads import UP_KERNELS, UPSAMPLINGS, MapHead, too_far
from scaling.arch.totals import Map, Totals

JUDGE, GENERATOR = "judge", "generator"  # the modules of the two
KERNEL = 3  # of the generator's convolutions


@dataclass(frozen=True)
class Adversarial(MapHead):
    """What stands before it is the judge's body; the generator goes the same way back, from noise.

    The judge is a number of the last map, averaged to `grid` x `grid` pixels. The generator makes a map of
    `grid` x `grid` pixels of `latent` numbers, and goes up through the sides of the body's maps, each at the
    next of `widths` (the last serves for more) by `convs` 3x3 convolutions, normalised and activated by
    `act`; a last one gives the colours, by tanh. `upsampling` is how the first of a side's convolutions
    brings the map up, as in `UNet`: "shuffle" is a transposed convolution of 6x6 windows and stride 2
    (arXiv 1609.07009), "transposed" one of 2x2. Source: arXiv 1511.06434 section 3.
    """

    latent: int = 100
    widths: tuple[int, ...] = field(default=(256, 128, 64), metadata=WIDTH)
    convs: int = field(default=1, metadata=DEPTH)
    grid: int = field(default=4, metadata=SIDE)
    upsampling: str = "shuffle"
    act: str = "relu"

    def reads(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        return strides

    def problem(self, strides: tuple[int, ...]) -> str:
        if self.upsampling not in UPSAMPLINGS:
            return f"has upsampling={self.upsampling!r}: choose one of {', '.join(UPSAMPLINGS)}."
        counts = (self.latent, self.convs, self.grid, len(self.widths), *self.widths)
        if min(counts) < 1:
            return f"needs numbers of at least 1, not {counts} for latent, convs, grid and widths."
        return too_far((1, *strides))

    def width(self, step: int) -> int:
        """The channels after so many steps up."""
        return self.widths[min(step, len(self.widths) - 1)]

    def cost(self, maps: Sequence[Map], classes: int, side: int) -> Totals:
        sums, (*finer, last), first = Totals(), maps, self.width(0)
        sums.conv(1, last.channels * self.grid**2, 1, bias=True)
        sums.conv(1, self.latent, first * self.grid**2)
        sums.norm(first)
        sums.resize(self.grid, last.side, first)
        read = Map(first, last.side)
        for _ in range(self.convs - 1):
            sums.conv_norm(read.side, read.channels, read.channels, KERNEL)
        for step, skip in enumerate(reversed(finer), start=1):
            width = self.width(step)
            self._up(sums, read, skip.side, width)
            sums.norm(width)
            for _ in range(self.convs - 1):
                sums.conv_norm(skip.side, width, width, KERNEL)
            read = Map(width, skip.side)
        self._up(sums, read, side, classes, bias=True)
        return sums

    def _up(self, sums: Totals, read: Map, side: int, width: int, bias: bool = False) -> None:
        """Add the convolution that brings a map to `side`."""
        if self.upsampling in UP_KERNELS and side != read.side:
            sums.conv(read.side, read.channels, 4 * width, UP_KERNELS[self.upsampling], bias=bias)
            return
        if self.upsampling == "bilinear":  # nearest copies
            sums.resize(read.side, side, read.channels)
        sums.conv(side, read.channels, width, KERNEL, bias=bias)


# By the names that a config's `model.head` takes
GAN_HEADS: dict[str, MapHead] = {"adversarial": Adversarial()}
KINDS = (Adversarial,)
