"""ConvNeXt's block, and the patches that begin its stages."""

from __future__ import annotations

from dataclasses import dataclass

from scaling.arch import padding as windows
from scaling.arch.blocks.base import Block
from scaling.arch.totals import Site, Totals


@dataclass(frozen=True)
class Patches(Block):
    """Squares of the stage's stride as side, each a linear map to the stage's width; then layer norm."""

    def for_small_images(self) -> Patches:
        return self

    def side_after(self, stride: int, side: int, padding: str) -> int:
        del padding
        return side // stride

    def side_before(self, stride: int, side: int, dilation: int = 1) -> int:
        return windows.side_before(side, stride, stride, 0, dilation)

    def cost(self, site: Site) -> Totals:
        sums = Totals()
        sums.conv(site.out, site.channels, site.width, site.stride, bias=True)
        sums.layer_norm(site.width)
        return sums


@dataclass(frozen=True)
class ConvNeXt(Block):
    """k x k depthwise convolution, layer norm, 1x1 to `expand` times the width, activation, 1x1 back.

    A learned scale a channel, then the residual. Where the stage changes stride or width, layer norm and
    `Patches` without a norm come before the first block. Source: arXiv 2201.03545 Figure 4.
    """

    kernel: int = 7
    expand: int = 4

    def side_after(self, stride: int, side: int, padding: str) -> int:
        del padding
        return side // stride

    def side_before(self, stride: int, side: int, dilation: int = 1) -> int:
        return windows.side_before(side, stride, stride, 0, dilation)

    def cost(self, site: Site) -> Totals:
        sums, width = Totals(), site.width
        if site.changes:
            sums.layer_norm(site.channels)
            sums.conv(site.out, site.channels, width, site.stride, bias=True)
        sums.conv(site.out, width, width, self.kernel, width, bias=True)
        sums.layer_norm(width)
        sums.conv(site.out, width, self.expand * width, bias=True)
        sums.conv(site.out, self.expand * width, width, bias=True)
        sums.params += width  # the learned scale
        return sums
