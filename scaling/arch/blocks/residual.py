"""Residual blocks of dense and grouped convolutions: ResNet's in all its forms, and RegNet's."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from scaling.arch.blocks.base import Block
from scaling.arch.fields import WIDTH
from scaling.arch.totals import Site, Totals


@dataclass(frozen=True)
class Residual(Block):
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

    def squeezed(self, width: int) -> int:
        """Return the squeeze width: the nearest multiple of 8, at least 8, as timm's ResNets round it."""
        return max(8, int(width * self.se_ratio + 4) // 8 * 8)

    def width_step(self, divisor: int) -> int:
        inner = Fraction(self.inner).limit_denominator(1024)
        needed = inner.denominator * self.groups
        return math.lcm(divisor, needed // math.gcd(inner.numerator, needed))

    def cost(self, site: Site) -> Totals:
        sums, inner, last = Totals(), round(site.width * self.inner), len(self.kernels) - 1
        channels = site.channels
        if self.preact:
            sums.norm(channels)
        for i, kernel in enumerate(self.kernels):
            width = site.width if i == last else inner
            side = site.out if i >= self.stride_at else site.side
            sums.conv(side, channels, width, kernel, self.groups if kernel > 1 else 1)
            if not self.preact or i < last:
                sums.norm(width)
            channels = width
        if self.se_ratio:
            sums.squeeze_excite(site.width, self.squeezed(site.width))
        if site.changes and self.shortcut != "zero_pad":
            sums.conv(site.out, site.channels, site.width)
            if not self.preact:
                sums.norm(site.width)
        return sums


@dataclass(frozen=True)
class XBlock(Block):
    """RegNet's block: 1x1, 3x3 in groups of `group_width` channels, 1x1, all of one width, plus a shortcut.

    `se_ratio` above 0 makes it the Y block, squeeze-excited after the 3x3; it is relative to the block's
    *input* width. Source: arXiv 2003.13678 Figure 4.
    """

    group_width: int = field(default=8, metadata=WIDTH)
    se_ratio: float = 0.0

    def squeezed(self, channels: int) -> int:
        """Return the squeeze width of a block that `channels` reach."""
        return max(1, round(channels * self.se_ratio))

    def problem(self, width: int, stride: int) -> str:
        del stride
        if width >= self.group_width:
            return ""
        return f"has width={width}, less than the group_width={self.group_width} of its block: make it wider."

    def width_step(self, divisor: int) -> int:
        del divisor
        return self.group_width

    @property
    def widens_in_steps(self) -> bool:
        return True

    def cost(self, site: Site) -> Totals:
        sums, width = Totals(), site.width
        sums.conv_norm(site.side, site.channels, width)
        sums.conv_norm(site.out, width, width, 3, width // self.group_width)
        if self.se_ratio:
            sums.squeeze_excite(width, self.squeezed(site.channels))
        sums.conv_norm(site.out, width, width)
        if site.changes:
            sums.conv_norm(site.out, site.channels, width)
        return sums
