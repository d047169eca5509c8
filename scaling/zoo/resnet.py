"""ImageNet ResNets in timm's names: v1.5, v1, wide, ResNeXt, squeeze-excite.

`resnet50` has its stride in the 3x3 convolution (v1.5, as torchvision and timm); `resnet50_v1` in the
first 1x1 (v1, as the paper, Caffe and Keras). Both read the same tensors.
"""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, Pool, Residual
from scaling.arch.head import Head
from scaling.arch.stages import Stage

STEM = (Stage(Conv(7), 64, stride=2), Stage(Pool("max", 3), 64, stride=2))
BASIC = Residual(kernels=(3, 3), inner=1.0)
BOTTLENECK = Residual(kernels=(1, 3, 1), inner=0.25, stride_at=1)
BOTTLENECK_V1 = Residual(kernels=(1, 3, 1), inner=0.25, stride_at=0)
BASIC_WIDTHS = (64, 128, 256, 512)
WIDTHS = (256, 512, 1024, 2048)

WSL = "arXiv 1805.00932 section 2.3: ResNeXt-101 32xCd, C = 8, 16, 32, 48"

# arXiv 1512.03385 Table 1; 200 from arXiv 1603.05027
REPEATS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}


def imagenet(
    name: str,
    family: str,
    block: Residual,
    repeats: tuple[int, ...],
    source: str,
    stem: tuple[Stage, ...] = STEM,
    widths: tuple[int, ...] = WIDTHS,
    **fields,
) -> Arch:
    """Four residual stages of strides 1, 2, 2, 2 behind a stem of stride 4."""
    stages = tuple(Stage(block, w, n, stride) for w, n, stride in zip(widths, repeats, (1, 2, 2, 2)))
    defaults = {"resolution": 224, "rounding": "resnet", "weights": "timm_resnet"}
    return Arch(name, family, stem, stages, Head(), source=source, **{**defaults, **fields})


def _basic(depth: int) -> Arch:
    source = "arXiv 1512.03385 Table 1"
    return imagenet(f"resnet{depth}", "resnet", BASIC, REPEATS[depth], source, widths=BASIC_WIDTHS)


def _bottleneck(depth: int) -> Arch:
    source = "arXiv 1512.03385 Table 1, stride in the 3x3 as torchvision"
    return imagenet(f"resnet{depth}", "resnet", BOTTLENECK, REPEATS[depth], source)


def _v1(depth: int) -> Arch:
    return imagenet(f"resnet{depth}_v1", "resnet", BOTTLENECK_V1, REPEATS[depth], "arXiv 1512.03385 Table 1")


def _wide(depth: int) -> Arch:
    block = Residual(kernels=(1, 3, 1), inner=0.5, stride_at=1)
    source = "arXiv 1605.07146 Table 8 (WRN-50-2-bottleneck)"
    return imagenet(f"wide_resnet{depth}_2", "wide_resnet", block, REPEATS[depth], source)


def _resnext(depth: int, groups: int, group_width: int, source: str = "arXiv 1611.05431 Table 1") -> Arch:
    inner = groups * group_width / WIDTHS[0]
    block = Residual(kernels=(1, 3, 1), inner=inner, stride_at=1, groups=groups)
    name = f"resnext{depth}_{groups}x{group_width}d"
    return imagenet(name, "resnext", block, REPEATS[depth], source)


def _squeezed(depth: int) -> Arch:
    basic = depth < 50
    block = Residual(**{**vars(BASIC if basic else BOTTLENECK), "se_ratio": 1 / 16})
    widths = BASIC_WIDTHS if basic else WIDTHS
    return imagenet(f"seresnet{depth}", "seresnet", block, REPEATS[depth], "arXiv 1709.01507", widths=widths)


ARCHS = {
    "resnet18": _basic(18),
    "resnet34": _basic(34),
    "resnet50": _bottleneck(50),
    "resnet101": _bottleneck(101),
    "resnet152": _bottleneck(152),
    "resnet200": _bottleneck(200),
    "resnet50_v1": _v1(50),
    "resnet101_v1": _v1(101),
    "resnet152_v1": _v1(152),
    "resnet200_v1": _v1(200),
    "wide_resnet50_2": _wide(50),
    "wide_resnet101_2": _wide(101),
    "resnext50_32x4d": _resnext(50, 32, 4),
    "resnext101_32x4d": _resnext(101, 32, 4),
    "resnext101_64x4d": _resnext(101, 64, 4),
    "resnext152_32x4d": _resnext(152, 32, 4),
    "resnext101_32x8d": _resnext(101, 32, 8, WSL),
    "resnext101_32x16d": _resnext(101, 32, 16, WSL),
    "resnext101_32x32d": _resnext(101, 32, 32, WSL),
    "resnext101_32x48d": _resnext(101, 32, 48, WSL),
    "seresnet18": _squeezed(18),
    "seresnet34": _squeezed(34),
    "seresnet50": _squeezed(50),
    "seresnet101": _squeezed(101),
    "seresnet152": _squeezed(152),
}
