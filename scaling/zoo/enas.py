"""The network of cells that ENAS found in its micro search space (arXiv 1802.03268), for 32-pixel images."""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks.cell import Cell
from scaling.zoo.cell_stages import small_cell_network

# melodyguan/enas src/cifar10/micro_child.py: the order of a cell's operations
OPERATIONS = ("sep_3x3", "sep_5x5", "avg_3x3", "max_3x3", "skip")
# melodyguan/enas scripts/cifar10_micro_final.sh; four numbers a node: state, operation, state, operation
NORMAL = "0 2 0 0 0 4 0 1 0 4 1 1 1 0 0 1 0 2 1 1"
REDUCTION = "1 0 1 0 0 3 0 2 1 1 3 1 1 0 0 4 0 3 1 1"


def cell(text: str) -> Cell:
    """A cell from ENAS's numbers; the states that no node reads leave."""
    numbers = [int(word) for word in text.split()]
    edges = [(OPERATIONS[op], state) for state, op in zip(numbers[::2], numbers[1::2])]
    nodes = tuple(zip(edges[::2], edges[1::2]))
    read = set(numbers[::2])
    concat = tuple(state for state in range(len(nodes) + 2) if state not in read)
    return Cell(nodes, concat, strided_skip="bare_factorized", entries=2)


def network(
    name: str, normal: Cell, reduction: Cell, filters: int = 36, repeats: tuple[int, ...] = (5, 5, 5)
) -> Arch:
    """Three stages of five normal cells (section 3.2; the script's 15 layers), reductions between them."""
    return small_cell_network(
        name,
        "enas",
        normal,
        reduction,
        filters,
        repeats,
        padding="tf",
        drop_rate=0.2,
        drop_path_rate=0.4,
        source="arXiv 1802.03268 Table 2; melodyguan/enas scripts/cifar10_micro_final.sh",
    )


ARCHS = {"enas_micro": network("enas_micro", cell(NORMAL), cell(REDUCTION))}
