"""DenseNets (arXiv 1608.06993): for ImageNet in timm's names, for 32-pixel images as densenet_L_k.

`densenet_bc_100_12` has 100 layers of growth rate 12, with bottlenecks (B) and compressing
transitions (C). Dropout, which the paper uses where it does not augment, is not there.
"""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, Dense, Pool, Transition
from scaling.arch.head import Head
from scaling.arch.stages import Stage, settle


def _stages(
    stem: int, growth: int, layers: tuple[int, ...], bottleneck: int, compression: float
) -> tuple[Stage, ...]:
    """Dense blocks with a transition of stride 2 between each two; widths follow from the stem's."""
    stages = [Stage(Dense(growth, layers[0], bottleneck), width=1)]
    for count in layers[1:]:
        stages += [
            Stage(Transition(compression), width=1, stride=2),
            Stage(Dense(growth, count, bottleneck), width=1),
        ]
    return settle(tuple(stages), stem)


def _imagenet(depth: int, growth: int, stem: int, layers: tuple[int, ...]) -> Arch:
    """arXiv 1608.06993 Table 1: a 7x7 convolution and a max pool, then four dense blocks."""
    return Arch(
        f"densenet{depth}",
        "densenet",
        stem=(Stage(Conv(7), stem, stride=2), Stage(Pool("max", 3), stem, stride=2)),
        stages=_stages(stem, growth, layers, bottleneck=4, compression=0.5),
        head=Head(preact=True),
        resolution=224,
        rounding="densenet",
        weights="timm_densenet",
        source="arXiv 1608.06993 Table 1",
    )


def _cifar(depth: int, growth: int, bc: bool) -> Arch:
    """arXiv 1608.06993 section 3: a 3x3 convolution, then three dense blocks of as many layers."""
    stem, convolutions = (2 * growth, 2) if bc else (16, 1)
    layers = ((depth - 4) // (3 * convolutions),) * 3
    return Arch(
        f"densenet_bc_{depth}_{growth}" if bc else f"densenet_{depth}_{growth}",
        "cifar_densenet",
        stem=(Stage(Conv(3, norm=False, act=False), stem),),
        stages=_stages(stem, growth, layers, 4 if bc else 0, 0.5 if bc else 1.0),
        head=Head(preact=True),
        resolution=32,
        num_classes=10,
        rounding="densenet",
        source="arXiv 1608.06993 Table 2",
    )


# depth: (growth, stem width, layers of the four blocks). arXiv 1608.06993 Table 1; DenseNet-161 from
# liuzhuang13/DenseNet README.md and torchvision's densenet.py
IMAGENET = {
    121: (32, 64, (6, 12, 24, 16)),
    161: (48, 96, (6, 12, 36, 24)),
    169: (32, 64, (6, 12, 32, 32)),
    201: (32, 64, (6, 12, 48, 32)),
    264: (32, 64, (6, 12, 64, 48)),
}

PLAIN = ((40, 12), (100, 12), (100, 24))  # depth, growth: arXiv 1608.06993 Table 2
# arXiv 1608.06993 Table 2; the wide ones of 40 layers from liuzhuang13/DenseNet README.md
BC = ((100, 12), (250, 24), (190, 40), (40, 36), (40, 48), (40, 60))

_ALL = [
    *(_imagenet(depth, *row) for depth, row in IMAGENET.items()),
    *(_cifar(depth, growth, bc=False) for depth, growth in PLAIN),
    *(_cifar(depth, growth, bc=True) for depth, growth in BC),
]

ARCHS = {arch.name: arch for arch in _ALL}
