"""Plain convolutions: one, several in a row, or a fire block's three."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from fractions import Fraction

from scaling.arch import padding as windows
from scaling.arch.blocks.base import Block
from scaling.arch.fields import LATER, WIDTH
from scaling.arch.totals import Site, Totals


@dataclass(frozen=True)
class Conv(Block):
    """A k x k convolution, normalised and activated; with `skip`, a residual where shapes allow.

    `pad` pixels of zeros go on every side (None: as many as the network's padding asks for), times the
    `dilation` of its window.
    """

    kernel: int = 3
    groups: int = 1
    norm: bool = True
    act: bool = True
    skip: bool = False
    bias: bool = False
    pad: int | None = field(default=None, metadata=LATER)
    dilation: int = field(default=1, metadata=LATER)

    def problem(self, width: int, stride: int) -> str:
        del width, stride
        return "" if self.dilation >= 1 else f"has dilation={self.dilation}, which must be at least 1."

    def keeping_side(self) -> Conv:
        return dataclasses.replace(self, pad=None)

    def for_small_images(self) -> Conv:
        return dataclasses.replace(self, kernel=3, pad=None, dilation=1)

    def side_after(self, stride: int, side: int, padding: str) -> int:
        extent = (self.kernel - 1) * self.dilation + 1
        pad = None if self.pad is None else self.pad * self.dilation
        return windows.side_after(side, extent, stride, padding, pad)

    def side_before(self, stride: int, side: int, dilation: int = 1) -> int:
        return windows.side_before(side, self.kernel, stride, self.pad, dilation * self.dilation)

    def width_step(self, divisor: int) -> int:
        return math.lcm(divisor, self.groups)

    def cost(self, site: Site) -> Totals:
        sums = Totals()
        sums.conv(site.out, site.channels, site.width, self.kernel, self.groups, self.bias)
        if self.norm:
            sums.norm(site.width)
        return sums


@dataclass(frozen=True)
class MLPConv(Block):
    """A k x k convolution and 1x1 ones after it, each with bias and activation: a small net a pixel.

    `inner` are the widths before the last, which is the stage's. Source: arXiv 1312.4400 section 3.1.
    """

    kernel: int = 3
    inner: tuple[int, ...] = field(default=(192, 192), metadata=WIDTH)

    def for_small_images(self) -> MLPConv:
        return dataclasses.replace(self, kernel=3)

    def cost(self, site: Site) -> Totals:
        sums, channels, kernel = Totals(), site.channels, self.kernel
        for width in (*self.inner, site.width):
            sums.conv(site.out, channels, width, kernel, bias=True)
            channels, kernel = width, 1
        return sums


@dataclass(frozen=True)
class Fire(Block):
    """A 1x1 convolution to `squeeze` times the width, then half the width from 1x1 and half from 3x3.

    Source: arXiv 1602.07360 section 3.2.
    """

    squeeze: float = 0.125

    def squeezed(self, width: int) -> int:
        """Return the channels that the first convolution leaves."""
        return round(width * self.squeeze)

    def width_step(self, divisor: int) -> int:
        return math.lcm(divisor, 2, Fraction(self.squeeze).limit_denominator(1024).denominator)

    def cost(self, site: Site) -> Totals:
        sums, squeeze, half = Totals(), self.squeezed(site.width), site.width // 2
        sums.conv(site.out, site.channels, squeeze, bias=True)
        sums.conv(site.out, squeeze, half, bias=True)
        sums.conv(site.out, squeeze, site.width - half, 3, bias=True)
        return sums
