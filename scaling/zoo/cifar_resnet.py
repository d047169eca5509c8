"""ResNets for 32-pixel images and 10 classes: CIFAR ResNets 6n+2 and wide residual networks WRN-d-k.

`cifar_resnet20` has the paper's parameter-free shortcuts (option A: subsample and zero-pad);
`cifar_resnet20_b` a 1x1 projection where shapes change (option B). `wrn_28_10` is WRN-28-10.
"""

from __future__ import annotations

from scaling.arch import Arch, Head, Stage
from scaling.blocks import Conv, Residual


def _arch(name: str, family: str, block: Residual, widths: tuple[int, ...], repeats: int, **fields) -> Arch:
    stages = tuple(Stage(block, width, repeats, stride) for width, stride in zip(widths, (1, 2, 2)))
    common = {"resolution": 32, "num_classes": 10, "rounding": "narrow"}
    return Arch(name, family, stages=stages, **common, **fields)


def _resnet(depth: int, shortcut: str) -> Arch:
    """arXiv 1512.03385 section 4.2: 6n+2 layers, widths 16, 32, 64."""
    return _arch(
        f"cifar_resnet{depth}" + ("_b" if shortcut == "projection" else ""),
        "cifar_resnet",
        Residual(kernels=(3, 3), shortcut=shortcut),
        (16, 32, 64),
        (depth - 2) // 6,
        stem=(Stage(Conv(3), 16),),
        head=Head(),
        source="arXiv 1512.03385 section 4.2",
    )


def _wide(depth: int, factor: int) -> Arch:
    """arXiv 1605.07146 Table 1: 6n+4 layers, pre-activation, widths 16k, 32k, 64k."""
    return _arch(
        f"wrn_{depth}_{factor}",
        "wrn",
        Residual(kernels=(3, 3), preact=True),
        (16 * factor, 32 * factor, 64 * factor),
        (depth - 4) // 6,
        stem=(Stage(Conv(3, norm=False, act=False), 16),),
        head=Head(preact=True),
        source="arXiv 1605.07146 Table 1",
    )


DEPTHS = (20, 32, 44, 56, 110, 1202)  # arXiv 1512.03385 Table 6
WIDE = (
    (16, 4),
    (16, 8),
    (16, 10),
    (22, 8),
    (22, 10),
    (28, 10),
    (28, 12),
    (40, 1),
    (40, 2),
    (40, 4),
    (40, 8),
    (40, 10),
)  # arXiv 1605.07146 Tables 4 and 5

_ALL = [
    *(_resnet(depth, "zero_pad") for depth in DEPTHS),
    *(_resnet(depth, "projection") for depth in DEPTHS),
    *(_wide(depth, factor) for depth, factor in WIDE),
]

ARCHS = {arch.name: arch for arch in _ALL}
