"""The units of ShuffleNet V1 and V2."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scaling.arch.blocks.base import Block
from scaling.arch.totals import Site, Totals


@dataclass(frozen=True)
class ShuffleV1(Block):
    """1x1 in groups, channel shuffle, k x k depthwise, 1x1 in groups; inner width a quarter of the output's.

    Added to its input; joined to the average-pooled input where shapes change. With `dense_first` the
    first 1x1 convolution there has no groups. The width must be a multiple of 4 `groups`.
    Source: arXiv 1707.01083.
    """

    kernel: int = 3
    groups: int = 3
    dense_first: bool = False

    def width_step(self, divisor: int) -> int:
        return math.lcm(divisor, 4 * self.groups)

    @property
    def shared_step(self) -> int:
        """Inputs are joined to outputs, so the groups divide the widths of all stages."""
        return self.groups

    def least_width(self, channels: int, stride: int, step: int) -> int:
        """With a stride the input is joined to the block's own channels: it stays wider than that."""
        return (channels // step + 1) * step if stride > 1 else 0

    def cost(self, site: Site) -> Totals:
        sums, inner = Totals(), site.width // 4
        own = site.width - site.channels if site.changes else site.width
        sums.conv_norm(
            site.side, site.channels, inner, groups=1 if site.changes and self.dense_first else self.groups
        )
        sums.conv_norm(site.out, inner, inner, self.kernel, inner)
        sums.conv_norm(site.out, inner, own, groups=self.groups)
        return sums


@dataclass(frozen=True)
class ShuffleV2(Block):
    """Half of the channels through 1x1, k x k depthwise, 1x1, then a shuffle. Source: arXiv 1807.11164."""

    kernel: int = 3

    def width_step(self, divisor: int) -> int:
        return math.lcm(divisor, 2)

    def cost(self, site: Site) -> Totals:
        sums, half = Totals(), site.width // 2
        sums.conv_norm(site.side, site.channels if site.changes else half, half)
        sums.conv_norm(site.out, half, half, self.kernel, half)
        sums.conv_norm(site.out, half, half)
        if site.changes:
            sums.conv_norm(site.out, site.channels, site.channels, self.kernel, site.channels)
            sums.conv_norm(site.out, site.channels, half)
        return sums
