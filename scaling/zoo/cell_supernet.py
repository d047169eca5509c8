"""The supernet of networks of a normal and a reduction cell whose blocks all leave, such as NASNet's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scaling.arch.arch import Arch
from scaling.arch.blocks.cell import OR, Cell
from scaling.arch.stages import Stage

NONE = "none"


def universal(arch: Arch, operations: Sequence[str]) -> tuple[Arch, dict[str, list[int]]]:
    """Return the supernet that holds a network whose cells do `operations`, and the choice that makes it so.

    Each term of a block has, as in ENAS's code (melodyguan/enas src/cifar10/micro_child.py), weights of its
    own for each state that it might read. ValueError for a cell that does something else, for cells of
    different forms, and where not all blocks leave: how many states do would be the network's own.
    """
    held = (NONE, *(name for name in operations if name != NONE))
    choice = {_name(s): _choice(s.block, held) for s in arch.stem + arch.stages if isinstance(s.block, Cell)}
    stem, stages = (tuple(_any(stage, held) for stage in part) for part in (arch.stem, arch.stages))
    if len(cells := {stage.block for stage in stem + stages if isinstance(stage.block, Cell)}) != 1:
        raise ValueError(
            f"{arch.name} has cells of {len(cells)} forms: give it cells of as many blocks, wired alike."
        )
    return arch.replace(stem=stem, stages=stages), choice


def _name(stage: Stage) -> str:
    """What `scaling.models.network.choosing` calls it: the supernet's cells are alike but for the stride."""
    return "reduction_0" if stage.stride > 1 else "cell_0"


def _any(stage: Stage, held: Sequence[str]) -> Stage:
    """The stage with, for each term, an edge from each state before it that does any of the operations."""
    cell = stage.block
    if not isinstance(cell, Cell):
        return stage
    nodes = tuple(
        tuple((OR.join(held), state) for _ in edges for state in range(cell.inputs + i))
        for i, edges in enumerate(cell.nodes)
    )
    return replace(stage, block=replace(cell, nodes=nodes))


def _choice(cell: Cell, held: Sequence[str]) -> list[int]:
    """The term's operation on the edge from the state that it reads, nothing on the others."""
    states = cell.inputs + len(cell.nodes)
    if cell.concat != tuple(range(cell.inputs, states)):
        raise ValueError(
            f"Cell.concat={cell.concat} must be the states {cell.inputs} to {states - 1}, those of all blocks, for "
            "a supernet: say leaving='all'."
        )
    values = []
    for i, edges in enumerate(cell.nodes):
        for operation, read in edges:
            if operation not in held:
                raise ValueError(f"{operation!r} is none of the supernet's operations: {', '.join(held)}.")
            values += [held.index(operation) * (state == read) for state in range(cell.inputs + i)]
    return values
