"""Blocks around a depthwise convolution: the inverted bottlenecks and the plain separable convolution."""

from __future__ import annotations

from dataclasses import dataclass, field

from scaling.arch.blocks.base import Block
from scaling.arch.fields import LATER
from scaling.arch.rounded import round_width
from scaling.arch.totals import Site, Totals


@dataclass(frozen=True)
class MBConv(Block):
    """Inverted bottleneck: 1x1 expand, k x k depthwise, squeeze-excite, 1x1 project.

    `se_ratio` is relative to the block's *input* width, as in EfficientNet's own code; with
    `se_expanded` to the expanded width, rounded to a multiple of 8, as in MobileNetV3. `se_gate` is
    "sigmoid" or "hard_sigmoid". `act` and `se_act` name the block's activation and the squeeze's ("":
    the network's, and the block's). A fractional `expand` gives an inner width rounded to a multiple of 8.
    Where shapes allow, the input is added, unless `skip` says no. The depthwise window takes every
    `dilation`-th value.
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
    dilation: int = field(default=1, metadata=LATER)

    def expanded(self, channels: int) -> int:
        """Return the inner width: exact for a whole factor, else as slim's MobileNetV3 rounds it."""
        inner = channels * self.expand
        return int(inner) if self.expand == int(self.expand) else round_width(inner, 8, keep=0.9)

    def squeezed(self, channels: int) -> int:
        """Return the squeeze width of a block that `channels` reach."""
        if self.se_expanded:
            return round_width(self.expanded(channels) * self.se_ratio, 8, keep=0.9)
        return max(1, int(channels * self.se_ratio))

    def cost(self, site: Site) -> Totals:
        sums, inner = Totals(), self.expanded(site.channels)
        if self.expand != 1:
            sums.conv_norm(site.side, site.channels, inner)
        sums.conv_norm(site.out, inner, inner, self.kernel, inner)
        if self.se_ratio:
            sums.squeeze_excite(inner, self.squeezed(site.channels))
        sums.conv_norm(site.out, inner, site.width)
        return sums


@dataclass(frozen=True)
class FusedMBConv(Block):
    """Inverted bottleneck whose expansion is one k x k convolution. Source: arXiv 2104.00298."""

    kernel: int = 3
    expand: int = 4

    def cost(self, site: Site) -> Totals:
        sums, inner = Totals(), site.channels * self.expand
        sums.conv_norm(site.out, site.channels, inner, self.kernel)
        sums.conv_norm(site.out, inner, site.width)
        return sums


@dataclass(frozen=True)
class DepthwiseSeparable(Block):
    """A k x k depthwise and a 1x1 convolution, each normalised and activated. Source: arXiv 1704.04861."""

    kernel: int = 3

    def cost(self, site: Site) -> Totals:
        sums = Totals()
        sums.conv_norm(site.out, site.channels, site.channels, self.kernel, site.channels)
        sums.conv_norm(site.out, site.channels, site.width)
        return sums
