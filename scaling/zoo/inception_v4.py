"""Inception v4 and the Inception-ResNets (arXiv 1602.07261), v4 and the second ResNet in timm's names."""

from __future__ import annotations

from scaling.arch.arch import Arch, Norm
from scaling.arch.blocks import Conv, Fork, Inception
from scaling.arch.head import Head
from scaling.arch.stages import Stage, settle
from scaling.zoo.inception_parts import AVERAGE, SHRINK, column, one, row, shrink, square, stage
from scaling.zoo.inception_v3 import STEM

FIRST = STEM[:3]  # 3x3 convolutions to 147x147 pixels

# Figure 3, from its first joined pair on
V4_STEM = (
    *FIRST,
    stage(Inception(((SHRINK,), (shrink(96),))), stride=2),
    stage(
        Inception(
            (
                (one(64), square(96, pad=0)),
                (one(64), row(64, 7), column(64, 7), square(96, pad=0)),
            )
        )
    ),
    stage(Inception(((shrink(192),), (SHRINK,))), stride=2),
)
V4_A = Inception(  # Figure 4
    ((one(96),), (one(64), square(96)), (one(64), square(96), square(96)), (AVERAGE, one(96)))
)
V4_B = Inception(  # Figure 5
    (
        (one(384),),
        (one(192), row(224, 7), column(256, 7)),
        (one(192), column(192, 7), row(224, 7), column(224, 7), row(256, 7)),
        (AVERAGE, one(128)),
    )
)
V4_ENDS = Fork(((row(256, 3),), (column(256, 3),)))
V4_C = Inception(  # Figure 6
    (
        (one(256),),
        (one(384), V4_ENDS),
        (one(384), column(448, 3), row(512, 3), V4_ENDS),
        (AVERAGE, one(256)),
    )
)


def _reduction_a(k: int, l: int, m: int, n: int) -> Inception:
    """Figure 7, with the widths of Table 1."""
    return Inception(((shrink(n),), (one(k), square(l), shrink(m)), (SHRINK,)))


V4_REDUCTION_B = Inception(  # Figure 8
    (
        (one(192), shrink(192)),
        (one(256), row(256, 7), column(320, 7), shrink(320)),
        (SHRINK,),
    )
)
V4_STAGES = (
    stage(V4_A, repeats=4),
    stage(_reduction_a(192, 224, 256, 384), stride=2),
    stage(V4_B, repeats=7),
    stage(V4_REDUCTION_B, stride=2),
    stage(V4_C, repeats=3),
)

# Residual scales: section 3.3 asks for 0.1 to 0.3; these are the authors' in slim nets/inception_resnet_v2.py
SCALE_A, SCALE_B, SCALE_C = 0.17, 0.10, 0.20


def _residual_reduction_b(middle: int, last: tuple[int, int]) -> Inception:
    """Figures 12 and 18: three strided convolutions beside the pooling."""
    return Inception(
        (
            (one(256), shrink(384)),
            (one(256), shrink(middle)),
            (one(256), square(last[0]), shrink(last[1])),
            (SHRINK,),
        )
    )


def _last(block: Inception) -> Inception:
    """The block after which v2 has no activation and no scale, as its authors released it."""
    return Inception(block.branches, residual=1.0, act=False)


R1_STAGES = (
    # Figure 10
    stage(
        Inception(((one(32),), (one(32), square(32)), (one(32), square(32), square(32))), residual=SCALE_A), 5
    ),
    stage(_reduction_a(192, 192, 256, 384), stride=2),
    # Figure 11
    stage(Inception(((one(128),), (one(128), row(128, 7), column(128, 7))), residual=SCALE_B), 10),
    stage(_residual_reduction_b(256, (256, 256)), stride=2),
    # Figure 13
    stage(Inception(((one(192),), (one(192), row(192, 3), column(192, 3))), residual=SCALE_C), 5),
)
R2_C = Inception(((one(192),), (one(192), row(224, 3), column(256, 3))), residual=SCALE_C)  # Figure 19
R2_STAGES = (
    # in the place of Figure 3's stem: v3's, and one module, as the authors released it
    stage(
        Inception(
            (
                (one(96),),
                (one(48), square(64, 5)),
                (one(64), square(96), square(96)),
                (AVERAGE, one(64)),
            )
        )
    ),
    # Figure 16; widths of 320, 1088 and 2080 channels are those of the release, not of the figures
    stage(
        Inception(((one(32),), (one(32), square(32)), (one(32), square(48), square(64))), residual=SCALE_A),
        10,
    ),
    stage(_reduction_a(256, 256, 384, 384), stride=2),
    # Figure 17
    stage(Inception(((one(192),), (one(128), row(160, 7), column(192, 7))), residual=SCALE_B), 20),
    stage(_residual_reduction_b(288, (288, 320)), stride=2),
    stage(R2_C, 9),
    stage(_last(R2_C)),
)
# Figure 14: v3's stem, whose last pooling is a convolution here
R1_STEM = (*STEM[:-1], Stage(Conv(3, pad=0), 256, stride=2))


def _arch(name: str, stem, stages, head: Head, source: str, weights: str = "") -> Arch:
    stem = settle(stem, 3)
    return Arch(
        name,
        "inception",
        stem=stem,
        stages=settle(stages, stem[-1].width),
        head=head,
        resolution=299,
        norm=Norm(eps=1e-3),
        rounding="inception",
        drop_rate=0.2,  # Figures 9 and 15
        weights=weights,
        source=source,
    )


_ALL = [
    _arch(
        "inception_v4",
        V4_STEM,
        V4_STAGES,
        Head(),
        "arXiv 1602.07261 Figures 3-9 and Table 1",
        "timm_inception_v4",
    ),
    _arch("inception_resnet_v1", R1_STEM, R1_STAGES, Head(), "arXiv 1602.07261 Figures 10-15 and Table 1"),
    _arch(
        "inception_resnet_v2",
        STEM,
        R2_STAGES,
        Head(width=1536),
        "arXiv 1602.07261 Figures 15-19 as timm models/inception_resnet_v2.py",
        "timm_inception_resnet_v2",
    ),
]

ARCHS = {arch.name: arch for arch in _ALL}
