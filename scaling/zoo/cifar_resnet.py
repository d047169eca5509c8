"""ResNets for 32-pixel images and 10 classes: CIFAR ResNets, pre-activation ones, WRN-d-k, ResNeXt-29.

`cifar_resnet20` has the paper's parameter-free shortcuts (option A: subsample and zero-pad);
`cifar_resnet20_b` a 1x1 projection where shapes change (option B). `wrn_28_10` is WRN-28-10. The
pre-activation networks activate before the first shortcut only where its shape changes, as the authors'
code does (KaimingHe/resnet-1k-layers resnet-pre-act.lua). `cifar_plain20` is the network without shortcuts.
"""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, Residual
from scaling.arch.head import Head
from scaling.arch.stages import Stage


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


def _plain(depth: int) -> Arch:
    """arXiv 1512.03385 section 4.2: the same layers without shortcuts."""
    stages = tuple(
        Stage(Conv(3), width, (depth - 2) // 3, stride) for width, stride in zip((16, 32, 64), (1, 2, 2))
    )
    return Arch(
        f"cifar_plain{depth}",
        "cifar_plain",
        stem=(Stage(Conv(3), 16),),
        stages=stages,
        head=Head(),
        resolution=32,
        num_classes=10,
        rounding="narrow",
        source="arXiv 1512.03385 section 4.2",
    )


def _preact(depth: int) -> Arch:
    """arXiv 1603.05027 Table 4: 110 has 6n+2 layers and free shortcuts, the others 9n+2 in bottlenecks."""
    basic = depth == 110
    block = Residual(kernels=(3, 3), shortcut="zero_pad", preact=True)
    deep = Residual(kernels=(1, 3, 1), inner=0.25, stride_at=0, preact=True)
    return _arch(
        f"preact_resnet{depth}",
        "preact_resnet",
        block if basic else deep,
        (16, 32, 64) if basic else (64, 128, 256),
        (depth - 2) // (6 if basic else 9),
        stem=(Stage(Conv(3, norm=False, act=False), 16),),
        head=Head(preact=True),
        source="arXiv 1603.05027 Table 4",
    )


def _resnext(groups: int, group_width: int) -> Arch:
    """arXiv 1611.05431 section 5.3: 29 layers, three stages of three bottlenecks."""
    inner = groups * group_width / 256
    return _arch(
        f"resnext29_{groups}x{group_width}d",
        "cifar_resnext",
        Residual(kernels=(1, 3, 1), inner=inner, stride_at=1, groups=groups),
        (256, 512, 1024),
        3,
        stem=(Stage(Conv(3), 64),),
        head=Head(),
        source="arXiv 1611.05431 Table 7",
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


PLAIN = (20, 32, 44, 56)  # arXiv 1512.03385 Figure 6
DEPTHS = (20, 32, 44, 56, 110, 1202)  # arXiv 1512.03385 Table 6
PREACT = (110, 164, 1001)  # arXiv 1603.05027 Table 4
RESNEXT = ((8, 64), (16, 64))  # arXiv 1611.05431 Table 7
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
    *(_plain(depth) for depth in PLAIN),
    *(_preact(depth) for depth in PREACT),
    *(_resnext(groups, group_width) for groups, group_width in RESNEXT),
    *(_wide(depth, factor) for depth, factor in WIDE),
]

ARCHS = {arch.name: arch for arch in _ALL}
