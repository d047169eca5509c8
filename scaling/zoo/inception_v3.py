"""Inception v3 (arXiv 1512.00567), in timm's names: without an auxiliary classifier, as timm builds it.

`AUXILIARY` is the one that torchvision adds: `inception_v3.replace(auxiliary=AUXILIARY)`.
"""

from __future__ import annotations

from scaling.arch.arch import Arch, Norm
from scaling.arch.blocks import Conv, Fork, Inception, Pool
from scaling.arch.head import Auxiliary, Head
from scaling.arch.stages import Stage, settle
from scaling.zoo.inception_parts import SHRINK, column, one, row, shrink, square, stage

PADDED = Pool("avg", 3, count_pad=True)  # the peers' average counts the zeros beyond the border

# arXiv 1512.00567 Table 1, rows before the modules; unpadded but for one
STEM = (
    Stage(Conv(3, pad=0), 32, stride=2),
    Stage(Conv(3, pad=0), 32),
    Stage(Conv(3), 64),
    Stage(SHRINK, 64, stride=2),
    Stage(Conv(1, pad=0), 80),
    Stage(Conv(3, pad=0), 192),
    Stage(SHRINK, 192, stride=2),
)


def _a(pooled: int) -> Inception:
    """Figure 5: 5x5 filters as two 3x3; the peers keep one 5x5 branch."""
    branches = (
        (one(64),),
        (one(48), square(64, 5)),
        (one(64), square(96), square(96)),
        (PADDED, one(pooled)),
    )
    return Inception(branches)


def _c(inner: int) -> Inception:
    """Figure 6: 7x7 filters as 1x7 and 7x1."""
    branches = (
        (one(192),),
        (one(inner), row(inner, 7), column(192, 7)),
        (one(inner), column(inner, 7), row(inner, 7), column(inner, 7), row(192, 7)),
        (PADDED, one(192)),
    )
    return Inception(branches)


# Figure 10: both halves of the side at once
B = Inception(((shrink(384),), (one(64), square(96), shrink(96)), (SHRINK,)))
D = Inception(((one(192), shrink(320)), (one(192), row(192, 7), column(192, 7), shrink(192)), (SHRINK,)))
# Figure 7: split ends
ENDS = Fork(((row(384, 3),), (column(384, 3),)))
E = Inception(((one(320),), (one(384), ENDS), (one(448), square(384), ENDS), (PADDED, one(192))))

# Table 1 and Figures 5 to 7; widths within the modules from the authors' release (slim nets/inception_v3.py)
STAGES = (
    stage(_a(32)),  # 35x35
    stage(_a(64), repeats=2),
    stage(B, stride=2),
    stage(_c(128)),  # 17x17
    stage(_c(160), repeats=2),
    stage(_c(192)),
    stage(D, stride=2),
    stage(E, repeats=2),  # 8x8
)

# Figure 8, as torchvision models/inception.py: 5x5 pixels, then normalised 768 wide; reads the last 17x17 map
AUXILIARY = (Auxiliary(after=5, hidden=(768,), grid=5, drop_rate=0.0, norm_hidden=True),)

ARCHS = {
    "inception_v3": Arch(
        "inception_v3",
        "inception",
        stem=STEM,
        stages=settle(STAGES, 192),
        head=Head(),
        resolution=299,
        norm=Norm(eps=1e-3),
        rounding="inception",
        drop_rate=0.5,
        weights="timm_inception_v3",
        source="arXiv 1512.00567 Table 1 as timm models/inception_v3.py",
    )
}
