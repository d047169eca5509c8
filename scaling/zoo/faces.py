"""Networks for aligned faces: DeepFace, whose late windows share nothing, and DeepID, of parts.

DeepFace's 4,030 people and DeepID's 160 numbers are the papers'. Both embed with `model.head="embedding"`.
"""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, Local, Parts, Pool
from scaling.arch.embedding_heads import Embedding
from scaling.arch.head import Head
from scaling.arch.stages import Stage


def _conv(kernel: int, groups: int = 1) -> Conv:
    return Conv(kernel, groups, norm=False, bias=True, pad=0)


DEEPFACE = Arch(
    name="deepface",
    family="deepface",
    # Figure 2 and section 3; the sides are those of 152 pixels
    stem=(
        Stage(_conv(11), 32),  # C1: 142
        Stage(Pool("max", 3, pad=0, ceil=True), 32, stride=2),  # M2: 71
    ),
    stages=(
        Stage(_conv(9), 16),  # C3: 63
        Stage(Local(9, pad=0), 16),  # L4: 55
        Stage(Local(7, pad=0), 16, stride=2),  # L5: 25
        Stage(Local(5, pad=0), 16),  # L6: 21
    ),
    head=Head(hidden=(4096,), grid=21),  # F7, and F8 behind dropout
    resolution=152,
    num_classes=4030,
    rounding="chain",
    drop_rate=0.5,
    source="Y. Taigman et al., CVPR 2014, Figure 2",
)

# Ours, of an aligned face: the paper's ten regions follow landmarks
PARTS = (
    (0.0, 0.0, 1.0, 1.0),
    (0.15, 0.15, 0.7, 0.7),
    (0.0, 0.1, 0.6, 0.8),  # the upper half
    (0.4, 0.1, 0.6, 0.8),  # the lower half
    (0.2, 0.1, 0.3, 0.8),  # both eyes
    (0.2, 0.1, 0.35, 0.4),  # an eye
    (0.2, 0.5, 0.35, 0.4),  # the other
    (0.35, 0.3, 0.4, 0.4),  # the nose
    (0.6, 0.15, 0.35, 0.4),  # a corner of the mouth
    (0.6, 0.45, 0.35, 0.4),  # the other
)
_BRANCHES = len(PARTS)
_MAX = Pool("max", 2, pad=0)
DEEPID = Arch(
    name="deepid",
    family="deepid",
    stem=(Stage(Parts(PARTS, 31), 3 * _BRANCHES),),
    # Figure 2, a branch a part: 20, 40, 60 and 80 maps; without the way around the last convolution
    stages=(
        Stage(_conv(4, _BRANCHES), 20 * _BRANCHES),  # 28
        Stage(_MAX, 20 * _BRANCHES, stride=2),  # 14
        Stage(_conv(3, _BRANCHES), 40 * _BRANCHES),  # 12
        Stage(_MAX, 40 * _BRANCHES, stride=2),  # 6
        Stage(_conv(3, _BRANCHES), 60 * _BRANCHES),  # 4
        Stage(_MAX, 60 * _BRANCHES, stride=2),  # 2
        Stage(_conv(2, _BRANCHES), 80 * _BRANCHES),  # 1: of one pixel, so that it shares nothing
    ),
    head=Embedding(160, classifies=True),
    resolution=64,
    num_classes=1000,
    rounding="chain",
    source="Y. Sun, X. Wang and X. Tang, CVPR 2014, Figure 2, joined",
)

ARCHS = {arch.name: arch for arch in (DEEPFACE, DEEPID)}
