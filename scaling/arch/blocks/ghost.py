"""GhostNet's bottleneck, whose convolutions make half of their channels from the other half."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scaling.arch.blocks.base import Block
from scaling.arch.rounded import round_width
from scaling.arch.totals import Site, Totals


@dataclass(frozen=True)
class GhostBottleneck(Block):
    """A ghost convolution to `expand` times the input, with a stride a depthwise one, a ghost one back.

    A ghost convolution is a 1x1 to half of its channels, and a 3x3 depthwise one of these that makes the
    rest. `kernel` is that of the strided convolution, and of the depthwise one that the shortcut begins with
    where shapes change. Squeeze-excite, where `se_ratio` is above 0, is relative to the expanded width. Both
    widths are rounded to multiples of 4. Source: arXiv 1911.11907 section 3.2.
    """

    kernel: int = 3
    expand: float = 6
    se_ratio: float = 0.0

    def expanded(self, channels: int) -> int:
        """Return the inner width of a block that `channels` reach."""
        return round_width(channels * self.expand, 4, keep=0.9)

    def squeezed(self, channels: int) -> int:
        """Return the squeeze width of a block that `channels` reach."""
        return round_width(self.expanded(channels) * self.se_ratio, 4, keep=0.9)

    def width_step(self, divisor: int) -> int:
        return math.lcm(divisor, 2)

    def problem(self, width: int, stride: int) -> str:
        if width % 2 == 0:
            return ""
        return f"has width={width}, of which a ghost convolution makes half: choose an even one."

    def cost(self, site: Site) -> Totals:
        sums, inner = Totals(), self.expanded(site.channels)
        _add_ghost(sums, site.side, site.channels, inner)
        if site.stride > 1:
            sums.conv_norm(site.out, inner, inner, self.kernel, inner)
        if self.se_ratio:
            sums.squeeze_excite(inner, self.squeezed(site.channels))
        _add_ghost(sums, site.out, inner, site.width)
        if site.changes:
            sums.conv_norm(site.out, site.channels, site.channels, self.kernel, site.channels)
            sums.conv_norm(site.out, site.channels, site.width)
        return sums


def _add_ghost(sums: Totals, side: int, channels: int, width: int) -> None:
    """Add a ghost convolution."""
    half = width // 2
    sums.conv_norm(side, channels, half)
    sums.conv_norm(side, half, half, 3, half)
