"""Recurrence over the rows of a sequence: long short-term memory."""

from __future__ import annotations

from dataclasses import dataclass

from scaling.arch.blocks.base import Block
from scaling.arch.totals import Site, Totals

GATES = ("i", "f", "g", "o")  # input, forget, cell and output


@dataclass(frozen=True)
class Lstm(Block):
    """Long short-term memory of the stage's width along the rows, each column a sequence of its own.

    Source: S. Hochreiter and J. Schmidhuber, Neural Computation 9(8), 1997, with the forget gate of F. Gers
    et al., 2000; the cell is flax.linen's.
    """

    def problem(self, width: int, stride: int) -> str:
        del width
        return f"has stride {stride}, but a memory answers every row: say 1." if stride > 1 else ""

    def cost(self, site: Site) -> Totals:
        """Every row costs the products of all gates, of the input and of what is remembered."""
        taps, gates = site.channels + site.width, len(GATES) * site.width
        rows = site.out**2
        return Totals((taps + 1) * gates, 0, taps * gates * rows, 2 * gates * rows)
