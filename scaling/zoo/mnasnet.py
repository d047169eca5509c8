"""MnasNet B1 (`mnasnet`), A1 (`semnasnet`) and small (arXiv 1807.11626), in timm's names.

The suffix is the width multiplier in hundredths. B1 has no squeeze-excite.
"""

from __future__ import annotations

import dataclasses

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, MBConv
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.rules.scale import scale

# tensorflow/tpu models/official/mnasnet/mnasnet_models.py, mnasnet_b1: block strings in order
B1 = Arch(
    name="mnasnet_100",
    family="mnasnet",
    stem=(Stage(Conv(3), 32, stride=2),),
    stages=(
        Stage(MBConv(3, expand=1, se_ratio=0.0), 16, repeats=1, stride=1),
        Stage(MBConv(3, expand=3, se_ratio=0.0), 24, repeats=3, stride=2),
        Stage(MBConv(5, expand=3, se_ratio=0.0), 40, repeats=3, stride=2),
        Stage(MBConv(5, expand=6, se_ratio=0.0), 80, repeats=3, stride=2),
        Stage(MBConv(3, expand=6, se_ratio=0.0), 96, repeats=2, stride=1),
        Stage(MBConv(5, expand=6, se_ratio=0.0), 192, repeats=4, stride=2),
        Stage(MBConv(3, expand=6, se_ratio=0.0), 320, repeats=1, stride=1),
    ),
    head=Head(width=1280),
    resolution=224,
    activation="relu",
    rounding="mnasnet",
    drop_rate=0.2,  # arXiv 1807.11626 section 5
    weights="timm_efficientnet",
    source="tensorflow/tpu models/official/mnasnet/mnasnet_models.py mnasnet_b1",
)

# arXiv 1807.11626 Figure 7
A1 = dataclasses.replace(
    B1,
    name="semnasnet_100",
    stages=(
        Stage(MBConv(3, expand=1, se_ratio=0.0), 16, repeats=1, stride=1),  # SepConv
        Stage(MBConv(3, expand=6, se_ratio=0.0), 24, repeats=2, stride=2),
        Stage(MBConv(5, expand=3, se_ratio=0.25), 40, repeats=3, stride=2),
        Stage(MBConv(3, expand=6, se_ratio=0.0), 80, repeats=4, stride=2),
        Stage(MBConv(3, expand=6, se_ratio=0.25), 112, repeats=2, stride=1),
        Stage(MBConv(5, expand=6, se_ratio=0.25), 160, repeats=3, stride=2),
        Stage(MBConv(3, expand=6, se_ratio=0.0), 320, repeats=1, stride=1),
    ),
    source="arXiv 1807.11626 Figure 7",
)

# tensorflow/tpu models/official/mnasnet/mnasnet_models.py, mnasnet_small: block strings in order
SMALL = dataclasses.replace(
    B1,
    name="mnasnet_small",
    stem=(Stage(Conv(3), 8, stride=2),),
    stages=(
        Stage(MBConv(3, expand=1, se_ratio=0.0), 8, repeats=1, stride=1),
        Stage(MBConv(3, expand=3, se_ratio=0.0), 16, repeats=1, stride=2),
        Stage(MBConv(3, expand=6, se_ratio=0.0), 16, repeats=2, stride=2),
        Stage(MBConv(5, expand=6, se_ratio=0.25), 32, repeats=4, stride=2),
        Stage(MBConv(3, expand=6, se_ratio=0.25), 32, repeats=3, stride=1),
        Stage(MBConv(5, expand=6, se_ratio=0.25), 88, repeats=3, stride=2),
        Stage(MBConv(3, expand=6, se_ratio=0.0), 144, repeats=1, stride=1),
    ),
    source="tensorflow/tpu models/official/mnasnet/mnasnet_models.py mnasnet_small",
)

# suffix: width multiplier. arXiv 1807.11626 Figure 5 (0.35 to 1.4); timm has the other four.
WIDTHS = {"035": 0.35, "050": 0.5, "075": 0.75, "100": 1.0, "140": 1.4}


def _family(base: Arch) -> list[Arch]:
    stem = base.name.removesuffix("100")
    return [scale(base, width=width).replace(name=stem + suffix) for suffix, width in WIDTHS.items()]


ARCHS = {arch.name: arch for arch in [*_family(B1), *_family(A1), SMALL]}
