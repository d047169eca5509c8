"""NASNet-A (arXiv 1707.07012) and PNASNet-5 (arXiv 1712.00559): cells found on CIFAR-10, and their networks.

The large ones have timm's names; nasnet_cifar_N_W are the paper's NASNet-A (N @ W) for 32-pixel images,
with N normal cells a stage and W channels before the classifier. They are without the auxiliary classifier of
their training, as timm builds them: `AUXILIARY` is it.
"""

from __future__ import annotations

import dataclasses

from scaling.arch.arch import Arch, Norm
from scaling.arch.blocks.cell import Cell
from scaling.arch.head import Auxiliary, Head
from scaling.arch.stages import Stage
from scaling.zoo.cell_stages import cell_stages, cell_stem, small_cell_network

# tensorflow/models research/slim/nets/nasnet/nasnet_utils.py; there state 0 is the newer input, here 1
NORMAL = Cell(
    nodes=(
        (("sep_5x5", 1), ("sep_3x3", 0)),
        (("sep_5x5", 0), ("sep_3x3", 0)),
        (("avg_3x3", 1), ("skip", 0)),
        (("avg_3x3", 0), ("avg_3x3", 0)),
        (("sep_3x3", 1), ("skip", 1)),
    ),
    concat=(0, 2, 3, 4, 5, 6),
    raw_first=True,
)
REDUCTION = Cell(
    nodes=(
        (("sep_5x5", 1), ("sep_7x7", 0)),
        (("max_3x3", 1), ("sep_7x7", 0)),
        (("avg_3x3", 1), ("sep_5x5", 0)),
        (("skip", 3), ("avg_3x3", 2)),
        (("sep_3x3", 2), ("max_3x3", 1)),
    ),
    concat=(3, 4, 5, 6),
    raw_first=True,
)
# timm's strided averages count padded zeros, so that the large network's do too
REDUCTION_ZEROS = dataclasses.replace(
    REDUCTION,
    nodes=(*REDUCTION.nodes[:2], (("avg_3x3_zeros", 1), ("sep_5x5", 0)), *REDUCTION.nodes[3:]),
)
# tensorflow/models research/slim/nets/nasnet/pnasnet.py: one cell for both
PROGRESSIVE = Cell(
    nodes=(
        (("sep_5x5", 0), ("max_3x3", 0)),
        (("sep_7x7", 1), ("max_3x3", 1)),
        (("sep_5x5", 1), ("sep_3x3", 1)),
        (("sep_3x3", 4), ("max_3x3", 1)),
        (("sep_3x3", 0), ("skip", 1)),
    ),
    concat=(2, 3, 4, 5, 6),
    raw_first=True,
)


def _imagenet(name: str, stem: tuple[Stage, ...], stages: tuple[Stage, ...], **fields) -> Arch:
    return Arch(
        name,
        "nasnet" if name.startswith("nasnet") else "pnasnet",
        stem=stem,
        stages=stages,
        head=Head(act=True),
        padding="tf",
        rounding="cells",
        drop_rate=0.5,
        **fields,
    )


def network_cifar(
    name: str, normal: Cell, reduction: Cell, filters: int = 32, repeats: tuple[int, ...] = (6, 6, 6)
) -> Arch:
    """Any two cells in the network for 32-pixel images. Source: arXiv 1707.07012 Figure 2 and Table 1."""
    return small_cell_network(
        name,
        "cifar_nasnet",
        normal,
        reduction,
        filters,
        repeats,
        padding="tf",
        drop_path_rate=0.4,
        source="arXiv 1707.07012 Table 1",
    )


def network_mobile(
    name: str, normal: Cell, reduction: Cell, filters: int = 44, repeats: tuple[int, ...] = (4, 4, 4)
) -> Arch:
    """Any two cells in the mobile network for 224-pixel images."""
    return _imagenet(
        name,
        cell_stem(reduction, 32, filters),
        cell_stages(normal, reduction, filters, repeats),
        resolution=224,
        norm=_SLIM,
        source="arXiv 1707.07012 Table 3; slim nasnet.py mobile_imagenet_config",
    )


def _cifar(repeats: int, width: int) -> Arch:
    """The last cells join 6 states of 4 times the filters."""
    name = f"nasnet_cifar_{repeats}_{width}"
    return network_cifar(name, NORMAL, REDUCTION, width // 24, (repeats,) * 3)


_BYPASSED = dataclasses.replace(REDUCTION_ZEROS, bypass=True)
_TIMM = Norm(eps=1e-3, momentum=0.9)
_SLIM = Norm(eps=1e-3, momentum=0.9997)

_ALL = [
    _imagenet(
        "nasnetalarge",
        cell_stem(REDUCTION_ZEROS, 96, 168),
        cell_stages(NORMAL, _BYPASSED, 168, (6, 6, 6)),
        resolution=331,
        norm=_TIMM,
        drop_path_rate=0.3,
        weights="timm_nasnet",
        source="arXiv 1707.07012 Table 2; slim nasnet.py large_imagenet_config",
    ),
    network_mobile("nasnetamobile", NORMAL, REDUCTION),
    # the cell that reduces is one of those that slim counts: 4 + 4 + 4, and 3 + 3 + 3
    _imagenet(
        "pnasnet5large",
        cell_stem(PROGRESSIVE, 96, 216),
        cell_stages(PROGRESSIVE, PROGRESSIVE, 216, (4, 3, 3)),
        resolution=331,
        norm=_TIMM,
        drop_path_rate=0.4,
        weights="timm_pnasnet",
        source="arXiv 1712.00559 Table 5; slim pnasnet.py large_imagenet_config",
    ),
    _imagenet(
        "pnasnet5mobile",
        cell_stem(PROGRESSIVE, 32, 54),
        cell_stages(PROGRESSIVE, PROGRESSIVE, 54, (3, 2, 2)),
        resolution=224,
        norm=_SLIM,
        source="arXiv 1712.00559 Table 4; slim pnasnet.py mobile_imagenet_config",
    ),
    _cifar(6, 768),
    _cifar(7, 2304),
]

# slim nasnet.py _build_aux_head: before the second reduction; its 5x5 windows of stride 3 leave 4x4 pixels
AUXILIARY = (Auxiliary(after=2, weight=0.4, hidden=(768,), drop_rate=0.0, norm_hidden=True, act=True),)

ARCHS = {arch.name: arch for arch in _ALL}
