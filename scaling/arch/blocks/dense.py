"""DenseNet's dense block and the transition between two of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from scaling.arch import padding as windows
from scaling.arch.blocks.base import Block
from scaling.arch.fields import DEPTH, WIDTH
from scaling.arch.totals import Site, Totals


@dataclass(frozen=True)
class Dense(Block):
    """A dense block: each of `layers` reads all channels before it and appends `growth` of its own.

    A layer is a 3x3 convolution after norm and activation; with `bottleneck` above 0 a 1x1 to
    bottleneck * growth channels, as well after norm and activation, comes first. The stage's width
    follows from its input's. Source: arXiv 1608.06993 section 3.
    """

    growth: int = field(default=32, metadata=WIDTH)
    layers: int = field(default=6, metadata=DEPTH)
    bottleneck: int = 4

    @property
    def deepens(self) -> bool:
        return False

    def width_after(self, width: int, channels: int) -> int:
        del width
        return channels + self.layers * self.growth

    def cost(self, site: Site) -> Totals:
        sums = Totals()
        for channels in range(site.channels, site.width, self.growth):
            inner = self.bottleneck * self.growth or channels
            sums.norm(channels)
            if self.bottleneck:
                sums.conv_norm(site.out, channels, inner)
            sums.conv(site.out, inner, self.growth, 3)
        return sums


@dataclass(frozen=True)
class Transition(Block):
    """Between dense blocks: norm, activation, 1x1 convolution, average pooling by the stage's stride.

    The stage's width follows: `compression` times its input's, rounded down. Source: arXiv 1608.06993.
    """

    compression: float = 0.5

    @property
    def deepens(self) -> bool:
        return False

    def width_after(self, width: int, channels: int) -> int:
        del width
        return int(channels * self.compression)

    def side_after(self, stride: int, side: int, padding: str) -> int:
        del padding
        return side // stride

    def side_before(self, stride: int, side: int, dilation: int = 1) -> int:
        return windows.side_before(side, stride, stride, 0, dilation)

    def cost(self, site: Site) -> Totals:
        sums = Totals()
        sums.norm(site.channels)
        sums.conv(site.side, site.channels, site.width)
        return sums
