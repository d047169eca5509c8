"""ShuffleNet V1 (arXiv 1707.01083): `shufflenet_v1_gG_xS` has G groups and S times the width.

The rule gives the published widths; where a width is not a multiple of 4 G, as the groups of the inner
1x1 convolutions need, it is the nearest one. No peer.
"""

from __future__ import annotations

import dataclasses

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, Pool, ShuffleV1
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.rules.scale import scale

STEM = 24

# groups: output channels of stages 2, 3 and 4 at width 1. arXiv 1707.01083 Table 1.
CHANNELS = {
    1: (144, 288, 576),
    2: (200, 400, 800),
    3: (240, 480, 960),
    4: (272, 544, 1088),
    8: (384, 768, 1536),
}

# Paper Table 2; 1.5 and 2 from its Table 5 and megvii-model/ShuffleNet-Series ShuffleNetV1/network.py
WIDTHS = {"0_25": 0.25, "0_5": 0.5, "1_0": 1.0, "1_5": 1.5, "2_0": 2.0}


def _base(groups: int) -> Arch:
    """Width 1: repeats from Table 1; the first 1x1 convolution of stage 2 has no groups (section 3.3)."""
    block = ShuffleV1(3, groups)
    first = dataclasses.replace(block, dense_first=True)
    second, third, fourth = CHANNELS[groups]
    return Arch(
        name=f"shufflenet_v1_g{groups}_x1_0",
        family="shufflenet_v1",
        stem=(Stage(Conv(3), STEM, stride=2), Stage(Pool("max", 3), STEM, stride=2)),
        stages=(
            Stage(first, second, repeats=4, stride=2),
            Stage(block, third, repeats=8, stride=2),
            Stage(block, fourth, repeats=4, stride=2),
        ),
        head=Head(),
        resolution=224,
        rounding="shufflenet",
        source="arXiv 1707.01083 Table 1",
    )


def _arch(groups: int, suffix: str, width: float) -> Arch:
    base = _base(groups)
    scaled = scale(base, width=width).replace(name=f"shufflenet_v1_g{groups}_x{suffix}")
    # megvii-model/ShuffleNet-Series ShuffleNetV1/network.py: 24 stem channels at 1.5 too
    return scaled.replace(stem=base.stem) if width == 1.5 else scaled


ARCHS = {arch.name: arch for arch in [_arch(groups, *row) for groups in CHANNELS for row in WIDTHS.items()]}
