"""What the tables of the Inception networks are written in: filters by shape, poolings, stages."""

from __future__ import annotations

from scaling.arch.blocks import Block, Filter, Pool
from scaling.arch.stages import Stage

MAX = Pool("max", 3)
AVERAGE = Pool("avg", 3)
SHRINK = Pool("max", 3, pad=0)  # for a stage of stride 2


def one(width: int) -> Filter:
    return Filter((1, 1), width)


def square(width: int, side: int = 3, pad: int | None = None) -> Filter:
    return Filter((side, side), width, pad=pad)


def row(width: int, side: int) -> Filter:
    return Filter((1, side), width)


def column(width: int, side: int) -> Filter:
    return Filter((side, 1), width)


def shrink(width: int, pad: int | None = 0) -> Filter:
    """A 3x3 filter that takes the stage's stride, unpadded as a rule."""
    return Filter((3, 3), width, strided=True, pad=pad)


def stage(block: Block, repeats: int = 1, stride: int = 1) -> Stage:
    """A stage whose width `scaling.arch.stages.settle` is to find."""
    return Stage(block, 1, repeats, stride)
