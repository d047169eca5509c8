"""The base of all kinds of block: what the rest of the library asks of one, and the usual answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, TypeVar

from scaling.arch.totals import Site, Totals

LEADING = ("first", "second")  # names of the blocks of a stage that differ from the equal ones after them

B = TypeVar("B", bound="Block")


@dataclass(frozen=True)
class Block:
    """What a stage repeats, as a value; its Linen module holds it and adds width, stride and settings.

    A kind is a frozen dataclass that overrides the answers in which it differs. It adds fields, never
    loses one: their names, order and defaults are in run ids and in serialised architectures.
    """

    @property
    def deepens(self) -> bool:
        """Whether depth scaling multiplies the block: it can follow itself in a stage."""
        return True

    @property
    def repeatable(self) -> bool:
        """Whether a stage may hold several in a row."""
        return self.deepens

    @property
    def reduces_once(self) -> bool:
        """Whether a stage of one block with a stride is a reduction, which no depth multiplies."""
        return False

    @property
    def reads_two(self) -> bool:
        """Whether the block reads the two outputs before it, not one."""
        return False

    @property
    def leading_blocks(self) -> int:
        """How many of `LEADING` a stage of such blocks has."""
        return 2 if self.reads_two else 1

    @property
    def in_stem(self) -> bool:
        """Whether the block may stand in the stem."""
        return True

    def problem(self, width: int, stride: int) -> str:
        """Say why a stage of this width and stride cannot be built of the block; "" where it can."""
        del width, stride
        return ""

    def keeping_side(self) -> Self:
        """Return the block with the padding that keeps the side at stride 1."""
        return self

    def for_small_images(self) -> Block | None:
        """Return what stands for the block in a stem of stride 1 for small images; None: nothing does."""
        return None

    def width_after(self, width: int, channels: int) -> int:
        """The channels that leave where `channels` enter: the stage's `width`, unless the block decides."""
        del channels
        return width

    def side_after(self, stride: int, side: int, padding: str) -> int:
        """The pixels along an axis that leave where `side` enter; `padding` is the network's."""
        del padding
        return -(-side // stride)

    def side_before(self, stride: int, side: int, dilation: int = 1) -> int:
        """The fewest pixels that the block turns into `side`, given the padding that it states."""
        del dilation
        return (side - 1) * stride + 1

    def width_step(self, divisor: int) -> int:
        """The smallest step of the width, on multiples of `divisor`, that keeps inner widths whole."""
        return divisor

    @property
    def widens_in_steps(self) -> bool:
        """Whether `width_step` grows with the width factor, so that a larger one may give less."""
        return False

    @property
    def shared_step(self) -> int:
        """What must divide the widths of all stages of a network that has such a block."""
        return 1

    def least_width(self, channels: int, stride: int, step: int) -> int:
        """The least width, in steps of `step`, that a stage can have which `channels` reach."""
        del channels, stride, step
        return 0

    def cost(self, site: Site) -> Totals | None:
        """Return parameters, multiply-adds and activations of one block; None: count the network instead."""
        del site
        return None
