"""NAS-Bench-201 (arXiv 2001.00326): any of its 15,625 cells, and the network around it.

A search space decodes to `network(cell(digits))`; `scaling.get` finds it as "nasbench201-DIGITS".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv
from scaling.arch.blocks.cell import OR, Cell
from scaling.arch.head import Head
from scaling.arch.stages import Stage

FAMILY = "nasbench201"
OPERATIONS = ("none", "skip", "conv_1x1", "conv_3x3", "avg_3x3")  # by digit, in the benchmark's order
READ = ((0,), (0, 1), (0, 1, 2))  # the states that each of the three nodes reads

# D-X-Y/AutoDL-Projects xautodl/models/cell_operations.py, ResNetBasicblock of stride 2
REDUCTION = Cell(nodes=((("conv_3x3", 0),), (("conv_3x3", 1), ("shrink", 0))), inputs=1)


def cell(digits: str) -> Cell:
    """The cell of six digits: operations of the edges 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2."""
    if len(digits) != 6 or not set(digits) <= set("01234"):
        raise ValueError(
            f"{digits!r} is no NAS-Bench-201 cell: give six digits, each 0 to 4 ({', '.join(OPERATIONS)})."
        )
    operations = iter(OPERATIONS[int(digit)] for digit in digits)
    return Cell(tuple(tuple((next(operations), state) for state in states) for states in READ), inputs=1)


def any_cell(operations: Sequence[str] = OPERATIONS) -> Cell:
    """The cell whose six edges hold all of `operations` each: `network` of it is the supernet."""
    return Cell(tuple(tuple((OR.join(operations), state) for state in states) for states in READ), inputs=1)


def universal(arch: Arch, operations: Sequence[str] = OPERATIONS) -> tuple[Arch, dict[str, list[int]]] | None:
    """Return the supernet that holds a network of one of these cells, and the choice that makes it that.

    None where the network has no such cell, several, or one that does another thing than `operations`.
    """
    cells = {stage.block for stage in arch.stages if isinstance(stage.block, Cell)} - {REDUCTION}
    if len(cells) != 1:
        return None
    (found,) = cells
    done = [operation for edges in found.nodes for operation, _ in edges]
    if len(done) != 6 or not set(done) <= set(operations):
        return None
    if found != cell("".join(str(OPERATIONS.index(operation)) for operation in done)):
        return None
    stages = (replace(s, block=any_cell(operations)) if s.block == found else s for s in arch.stages)
    return arch.replace(stages=tuple(stages)), {"cell_0": [operations.index(name) for name in done]}


def network(searched: Cell, filters: int = 16, repeats: int = 5, num_classes: int = 10) -> Arch:
    """Three stages of the cell with residual reductions between. Source: arXiv 2001.00326 section 2.1."""
    stages = [Stage(searched, filters, repeats)]
    for width in (2 * filters, 4 * filters):
        stages += [Stage(REDUCTION, width, stride=2), Stage(searched, width, repeats)]
    return Arch(
        FAMILY,
        FAMILY,
        stem=(Stage(Conv(3, act=False), filters),),
        stages=tuple(stages),
        head=Head(preact=True),
        resolution=32,
        num_classes=num_classes,
        rounding="cells",
        source="arXiv 2001.00326",
    )
