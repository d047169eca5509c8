"""Convolutions over time: windows that see no later row, gated; of sequences, which have one column."""

from __future__ import annotations

from dataclasses import dataclass

from scaling.arch.blocks.base import Block
from scaling.arch.totals import Site, Totals


@dataclass(frozen=True)
class Causal(Block):
    """A window of `kernel` rows, `dilation` apart, of which the last is the output's own; normalised, gated.

    The tanh of half of the channels is multiplied by the sigmoid of the others, and the input added where
    shapes allow. Without `gated` the network's activation follows. Source: arXiv 1609.03499 sections 2.1 to
    2.4, with batch norm in place of skip connections.
    """

    kernel: int = 3
    dilation: int = 1
    gated: bool = True

    @property
    def reach(self) -> int:
        """How many rows before its own a window sees."""
        return (self.kernel - 1) * self.dilation

    def problem(self, width: int, stride: int) -> str:
        del width
        if min(self.kernel, self.dilation) < 1:
            return f"needs a kernel and a dilation of at least 1, not {self.kernel} and {self.dilation}."
        return f"has stride {stride}, but windows over time answer every row: say 1." if stride > 1 else ""

    def cost(self, site: Site) -> Totals:
        sums, width = Totals(), site.width * (1 + self.gated)
        sums.params += self.kernel * site.channels * width
        sums.macs += self.kernel * site.channels * width * site.out**2
        sums.activations += width * site.out**2
        sums.norm(width)
        return sums
