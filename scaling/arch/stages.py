"""A stage, where its values lie, and what follows for a row of stages: widths, sides, a small stem."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from scaling.arch.blocks import Block


@dataclass(frozen=True)
class Stage:
    """`repeats` blocks of one output `width`; the first has the stride and the block's own `pad`.

    The rest have stride 1 and keep the side.
    """

    block: Block
    width: int
    repeats: int = 1
    stride: int = 1


@dataclass(frozen=True)
class FeatureGrid:
    """Where a stage's values lie: those of its map are `stride` pixels of the image apart.

    Its windows take values `dilation` apart from the map that reaches it. `traded`: the stage's own
    stride is not taken, but multiplies the dilation of what follows the strided windows.
    """

    stride: int
    dilation: int = 1
    traded: bool = False


def settle(stages: tuple[Stage, ...], channels: int) -> tuple[Stage, ...]:
    """Give each stage the width that follows where `channels` enter the first of them."""
    settled = []
    for stage in stages:
        channels = stage.block.width_after(stage.width, channels)
        settled.append(dataclasses.replace(stage, width=channels))
    return tuple(settled)


def small_stem(stem: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The stem for small images: 3x3 convolutions and patches of one pixel, of stride 1; no pooling."""
    small = ((stage, stage.block.for_small_images()) for stage in stem)
    return tuple(dataclasses.replace(s, block=block, stride=1) for s, block in small if block is not None)


def least_side(stages: Sequence[Stage], grids: Sequence[FeatureGrid]) -> int:
    """The smallest input side of which every stage leaves a pixel, given the paddings that blocks state."""
    side = 1
    for stage, grid in reversed(list(zip(stages, grids, strict=True))):
        if not grid.traded:
            side = stage.block.side_before(stage.stride, side, grid.dilation)
    return side
