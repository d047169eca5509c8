"""Heads whose answer is a picture: denoisers and super-resolution, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scaling.arch.map_heads import UP_KERNELS, UPSAMPLINGS, MapHead
from scaling.arch.totals import Map, Totals


@dataclass(frozen=True)
class Reconstruction(MapHead):
    """A convolution to the colours of a picture whose sides are `factor` times those of the network's input.

    Where the last map is smaller than the picture, `upsampling` is bilinear or nearest before the
    convolution, shuffle (the convolution gives all values of a square, ESPCN's sub-pixels) or transposed (so
    does a 1x1 convolution, which is a transposed one whose windows do not overlap). A `residual` answer is
    what has to be taken off the input (DnCNN). Source: arXiv 1609.05158 section 2.2, 1608.03981 section III.
    """

    kernel: int = 3
    factor: int = 1
    upsampling: str = "shuffle"
    residual: bool = False
    bias: bool = True

    def problem(self, strides: tuple[int, ...]) -> str:
        del strides
        if self.upsampling not in UPSAMPLINGS:
            return f"has upsampling={self.upsampling!r}: choose one of {', '.join(UPSAMPLINGS)}."
        if min(self.kernel, self.factor) < 1:
            return f"needs a kernel and a factor of at least 1, not {self.kernel} and {self.factor}."
        if self.residual and self.factor > 1:
            return (
                f"is residual, but of a picture {self.factor} times the input: nothing can be taken off that."
            )
        return ""

    @property
    def window(self) -> int:
        """The side of the convolution's window."""
        return 1 if self.upsampling == "transposed" else self.kernel

    def cost(self, maps: Sequence[Map], classes: int, side: int) -> Totals:
        read, wanted, sums = maps[-1], side * self.factor, Totals()
        if self.upsampling in UP_KERNELS:
            square = (read.stride * self.factor) ** 2
            sums.conv(read.side, read.channels, square * classes, self.window, bias=self.bias)
            return sums
        if self.upsampling == "bilinear":  # nearest copies
            sums.resize(read.side, wanted, read.channels)
        sums.conv(wanted, read.channels, classes, self.window, bias=self.bias)
        return sums


# By the names that a config's `model.head` takes
PICTURE_HEADS: dict[str, MapHead] = {
    "denoising": Reconstruction(residual=True, bias=False),
    "picture": Reconstruction(),
    "picture_x2": Reconstruction(factor=2),
    "picture_x3": Reconstruction(factor=3),
    "picture_x4": Reconstruction(factor=4),
}
KINDS = (Reconstruction,)
