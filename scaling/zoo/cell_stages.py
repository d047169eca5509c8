"""How the networks of searched cells are put together: normal cells, reductions between, a stem."""

from __future__ import annotations

from typing import Any

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv
from scaling.arch.blocks.cell import Cell
from scaling.arch.head import Head
from scaling.arch.stages import Stage


def cell_stage(cell: Cell, filters: int, repeats: int = 1, stride: int = 1) -> Stage:
    """A stage of cells of so many filters."""
    return Stage(cell, filters * cell.parts, repeats, stride)


def cell_stages(normal: Cell, reduction: Cell, filters: int, repeats: tuple[int, ...]) -> tuple[Stage, ...]:
    """Stages of normal cells, a reduction cell between each two; filters double with each."""
    stages = [cell_stage(normal, filters, repeats[0])]
    for count in repeats[1:]:
        filters *= 2
        stages += [cell_stage(reduction, filters, stride=2), cell_stage(normal, filters, count)]
    return tuple(stages)


def cell_stem(reduction: Cell, first: int, filters: int) -> tuple[Stage, ...]:
    """The ImageNet stem: an unpadded strided convolution, then reduction cells of 1/4 and 1/2 the filters."""
    cells = (cell_stage(reduction, filters // part, stride=2) for part in (4, 2))
    return Stage(Conv(3, act=False, pad=0), first, stride=2), *cells


def small_cell_network(
    name: str,
    family: str,
    normal: Cell,
    reduction: Cell,
    filters: int,
    repeats: tuple[int, ...],
    **fields: Any,
) -> Arch:
    """The network for 32-pixel images: a 3x3 convolution of three times the filters, then the cells."""
    return Arch(
        name,
        family,
        stem=(Stage(Conv(3, act=False), 3 * filters),),
        stages=cell_stages(normal, reduction, filters, repeats),
        resolution=32,
        num_classes=10,
        rounding="cells",
        **{"head": Head(act=True), **fields},
    )
