"""MobileNetV2 (arXiv 1801.04381), in timm's names: the suffix is the width multiplier in hundredths.

The `d` variants, timm's, deepen as well and keep stem, head, first and last stage as they are.
"""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, MBConv
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.rules.scale import scale

# arXiv 1801.04381 Table 2, row by row; no squeeze-excite.
V2 = Arch(
    name="mobilenetv2_100",
    family="mobilenet_v2",
    stem=(Stage(Conv(3), 32, stride=2),),
    stages=(
        Stage(MBConv(3, expand=1, se_ratio=0.0), 16, repeats=1, stride=1),
        Stage(MBConv(3, expand=6, se_ratio=0.0), 24, repeats=2, stride=2),
        Stage(MBConv(3, expand=6, se_ratio=0.0), 32, repeats=3, stride=2),
        Stage(MBConv(3, expand=6, se_ratio=0.0), 64, repeats=4, stride=2),
        Stage(MBConv(3, expand=6, se_ratio=0.0), 96, repeats=3, stride=1),
        Stage(MBConv(3, expand=6, se_ratio=0.0), 160, repeats=3, stride=2),
        Stage(MBConv(3, expand=6, se_ratio=0.0), 320, repeats=1, stride=1),
    ),
    head=Head(width=1280),
    resolution=224,
    activation="relu6",
    rounding="mobilenet_v2",
    weights="timm_efficientnet",
    source="arXiv 1801.04381 Table 2",
)

# suffix: width multiplier. Paper Table 4 and section 6.1 (1.4); 1.3 from slim's published checkpoints.
WIDTHS = {"035": 0.35, "050": 0.5, "075": 0.75, "100": 1.0, "130": 1.3, "140": 1.4}

# suffix: (width, depth), timm models/efficientnet.py
DEEP = {"110d": (1.1, 1.2), "120d": (1.2, 1.4)}


def _deep(suffix: str, width: float, depth: float) -> Arch:
    scaled = scale(V2, depth=depth, width=width, rounding="efficientnet_lite")
    return scaled.replace(name=f"mobilenetv2_{suffix}")


_ALL = [scale(V2, width=width).replace(name=f"mobilenetv2_{suffix}") for suffix, width in WIDTHS.items()]
_ALL += [_deep(suffix, *row) for suffix, row in DEEP.items()]

ARCHS = {arch.name: arch for arch in _ALL}
