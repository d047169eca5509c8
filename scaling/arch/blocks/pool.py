"""What has no parameters and leaves as many channels as enter: pooling, local norm, dropout."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from scaling.arch import padding as windows
from scaling.arch.blocks.base import Block
from scaling.arch.fields import LATER, SIDE
from scaling.arch.totals import Site, Totals


@dataclass(frozen=True)
class Pool(Block):
    """A k x k spatial pooling, "max" or "avg"; the stage's width must equal its input's.

    `pad` as in `Conv`; with `ceil` a last window that begins inside the image counts, as in Caffe. Padded
    pixels count for no maximum, and for no average but with `count_pad`.
    """

    op: str = "max"
    kernel: int = 3
    pad: int | None = field(default=None, metadata=LATER)
    ceil: bool = field(default=False, metadata=LATER)
    count_pad: bool = field(default=False, metadata=LATER)

    @property
    def deepens(self) -> bool:
        return False

    @property
    def repeatable(self) -> bool:
        return True

    @property
    def strided(self) -> bool:
        """Whether it takes the stage's stride in a branch of `Inception`, as every pooling does."""
        return True

    @property
    def moves(self) -> bool:
        """Whether it may change the side even in a stage of stride 1."""
        return self.pad is not None

    def keeping_side(self) -> Pool:
        return dataclasses.replace(self, pad=None)

    def width_after(self, width: int, channels: int) -> int:
        del width
        return channels

    def side_after(self, stride: int, side: int, padding: str) -> int:
        return windows.side_after(side, self.kernel, stride, padding, self.pad, self.ceil)

    def side_before(self, stride: int, side: int, dilation: int = 1) -> int:
        if self.pad is None or not self.ceil:
            return windows.side_before(side, self.kernel, stride, self.pad, dilation)
        inside = (side - 1) * stride - self.pad + 1
        return max(1, inside, (side - 2) * stride + self.kernel - 2 * self.pad + 1)

    def cost(self, site: Site) -> Totals:
        return Totals(activations=site.out * site.out * site.width if self.op == "max" else 0)


@dataclass(frozen=True)
class Pixelwise(Block):
    """The base of what changes values but no shape, and costs nothing that is counted."""

    @property
    def deepens(self) -> bool:
        return False

    def problem(self, width: int, stride: int) -> str:
        return "" if stride == 1 else f"keeps the side, so its stride must be 1, not {stride}."

    def width_after(self, width: int, channels: int) -> int:
        del width
        return channels

    def cost(self, site: Site) -> Totals:
        del site
        return Totals()


@dataclass(frozen=True)
class LocalNorm(Pixelwise):
    """Local response normalisation: x / (bias + alpha * sum of squares over `size` channels)**beta.

    Source: Krizhevsky et al., NIPS 2012, section 3.3.
    """

    size: int = field(default=5, metadata=SIDE)
    alpha: float = 1e-4
    beta: float = 0.75
    bias: float = 2.0

    @property
    def repeatable(self) -> bool:
        return True


@dataclass(frozen=True)
class Dropout(Pixelwise):
    """Zero single values with the network's `drop_rate` while training; among the stages, not the stem."""

    @property
    def in_stem(self) -> bool:
        return False
