"""The networks of DARTS (arXiv 1806.09055): its code's first cell (v1) and the rerun's (v2).

`network_cifar` and `network_imagenet` put any two cells into those networks. Auxiliary heads are left out.
"""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv
from scaling.arch.blocks.cell import Cell
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.zoo.cell_stages import cell_stages, small_cell_network


def cell(*edges: tuple[str, int], concat: tuple[int, ...] = (2, 3, 4, 5)) -> Cell:
    """A DARTS cell from its genotype: two edges a node, in order."""
    nodes = tuple(zip(edges[::2], edges[1::2]))
    return Cell(nodes, concat, strided_skip="factorized")


# quark0/darts cnn/genotypes.py; arXiv 1806.09055 Figures 4 to 7. (normal, reduction) of each
CELLS = {
    "v1": (
        cell(
            *(("sep_3x3", 1), ("sep_3x3", 0)),
            *(("skip", 0), ("sep_3x3", 1)),
            *(("skip", 0), ("sep_3x3", 1)),
            *(("sep_3x3", 0), ("skip", 2)),
        ),
        cell(
            *(("max_3x3", 0), ("max_3x3", 1)),
            *(("skip", 2), ("max_3x3", 0)),
            *(("max_3x3", 0), ("skip", 2)),
            *(("skip", 2), ("avg_3x3", 0)),
        ),
    ),
    "v2": (
        cell(
            *(("sep_3x3", 0), ("sep_3x3", 1)),
            *(("sep_3x3", 0), ("sep_3x3", 1)),
            *(("sep_3x3", 1), ("skip", 0)),
            *(("skip", 0), ("dil_3x3", 2)),
        ),
        cell(
            *(("max_3x3", 0), ("max_3x3", 1)),
            *(("skip", 2), ("max_3x3", 1)),
            *(("max_3x3", 0), ("skip", 2)),
            *(("skip", 2), ("max_3x3", 1)),
        ),
    ),
}


def network_cifar(name: str, normal: Cell, reduction: Cell, filters: int = 36, cells: int = 20) -> Arch:
    """arXiv 1806.09055 section 3.2 and quark0/darts cnn/model.py, NetworkCIFAR."""
    repeats = _repeats(cells)
    return small_cell_network(
        name,
        "cifar_darts",
        normal,
        reduction,
        filters,
        repeats,
        head=Head(),
        drop_path_rate=0.2,
        source="arXiv 1806.09055 Table 1",
    )


def network_imagenet(name: str, normal: Cell, reduction: Cell, filters: int = 48, cells: int = 14) -> Arch:
    """The same at 224 pixels, after three strided convolutions; the first cell reads the last two."""
    last = Cell(nodes=((("conv_3x3", 0),),), inputs=1)
    stem = (
        Stage(Conv(3), filters // 2, stride=2),
        Stage(Conv(3, act=False), filters, stride=2),
        Stage(last, filters, stride=2),
    )
    return Arch(
        name,
        "darts",
        stem=stem,
        stages=cell_stages(normal, reduction, filters, _repeats(cells)),
        head=Head(),
        resolution=224,
        rounding="cells",
        source="arXiv 1806.09055 Table 3",
    )


def _repeats(cells: int) -> tuple[int, ...]:
    """Normal cells a stage: of `cells`, those at a third and at two thirds reduce."""
    first, second = cells // 3, 2 * cells // 3
    return first, second - first - 1, cells - second - 1


_ALL = [
    *(network_imagenet(f"darts_{which}", *pair) for which, pair in CELLS.items()),
    *(network_cifar(f"darts_{which}_cifar", *pair) for which, pair in CELLS.items()),
]

ARCHS = {arch.name: arch for arch in _ALL}
