"""AmoebaNet-A (arXiv 1802.01548) as amoebanet_a_N_F: N normal cells a stage, F filters in the first.

The cells are those of the authors' code, which the paper's figure agrees with. Auxiliary heads are left out.
"""

from __future__ import annotations

from scaling.arch.arch import Arch, Norm
from scaling.arch.blocks.cell import Cell
from scaling.arch.head import Head
from scaling.zoo.cell_stages import cell_stages, cell_stem, small_cell_network

# tensorflow/tpu models/official/amoeba_net/model_specs.py; there state 0 is the newer input, here 1
NORMAL = Cell(
    nodes=(
        (("avg_3x3", 1), ("max_3x3", 1)),
        (("sep_3x3", 0), ("skip", 0)),
        (("skip", 1), ("avg_3x3", 0)),
        (("sep_3x3", 1), ("sep_5x5", 2)),
        (("avg_3x3", 5), ("sep_3x3", 1)),
    ),
    concat=(0, 3, 4, 6),
    raw_first=True,
)
REDUCTION = Cell(
    nodes=(
        (("sep_3x3", 0), ("avg_3x3", 1)),
        (("max_3x3", 1), ("sep_7x7", 2)),
        (("max_3x3", 0), ("max_3x3", 1)),
        (("sep_3x3", 4), ("conv_1x7_7x1", 1)),
        (("avg_3x3", 0), ("sep_7x7", 1)),
    ),
    concat=(2, 3, 4, 5, 6),
    raw_first=True,
)


def _imagenet(repeats: int, filters: int, resolution: int, drop_path_rate: float, source: str) -> Arch:
    """amoeba_net_model.py: 32 channels from the stem's convolution, whatever the filters."""
    return Arch(
        f"amoebanet_a_{repeats}_{filters}",
        "amoebanet",
        stem=cell_stem(REDUCTION, 32, filters),
        stages=cell_stages(NORMAL, REDUCTION, filters, (repeats,) * 3),
        head=Head(act=True),
        resolution=resolution,
        norm=Norm(eps=1e-3, momentum=0.9997),
        padding="tf",
        rounding="cells",
        drop_rate=0.5,
        drop_path_rate=drop_path_rate,
        source=source,
    )


def _cifar(repeats: int, filters: int) -> Arch:
    return small_cell_network(
        f"amoebanet_a_cifar_{repeats}_{filters}",
        "cifar_amoebanet",
        NORMAL,
        REDUCTION,
        filters,
        (repeats,) * 3,
        norm=Norm(eps=1e-3, momentum=0.9997),
        padding="tf",
        source="arXiv 1802.01548 Table 1",
    )


_ALL = [
    _imagenet(6, 190, 331, 0.3, "arXiv 1802.01548 Table 2"),
    # 299 is the authors' default (amoeba_net_model.py), and gives the table's multiply-adds
    _imagenet(6, 448, 299, 0.3, "arXiv 1802.01548 Table 2"),
    _imagenet(4, 50, 224, 0.0, "arXiv 1802.01548 Table 3"),
    _cifar(6, 32),
    _cifar(6, 36),
]

ARCHS = {arch.name: arch for arch in _ALL}
