"""MobileNetV1 (arXiv 1704.04861), in timm's names: the suffix is the width multiplier in hundredths.

The resolution multiplier is `replace(resolution=...)`: 224, 192, 160 or 128 in the paper. The `h` form,
timm's, has a 1x1 convolution before pooling. Activation is timm's and slim's relu6; the paper has relu.
"""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, DepthwiseSeparable
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.rules.scale import scale

BLOCK = DepthwiseSeparable(3)

# arXiv 1704.04861 Table 1; a stage is a strided row pair and those of the same width after it.
V1 = Arch(
    name="mobilenetv1_100",
    family="mobilenet_v1",
    stem=(Stage(Conv(3), 32, stride=2),),  # row 1
    stages=(
        Stage(BLOCK, 64, repeats=1, stride=1),  # rows 2-3
        Stage(BLOCK, 128, repeats=2, stride=2),  # rows 4-7
        Stage(BLOCK, 256, repeats=2, stride=2),  # rows 8-11
        Stage(BLOCK, 512, repeats=6, stride=2),  # rows 12-15, the latter five times
        Stage(BLOCK, 1024, repeats=2, stride=2),  # rows 16-19; row 18's "s2" is 1 by its sizes
    ),
    head=Head(),
    resolution=224,
    activation="relu6",
    rounding="mobilenet_v1",
    weights="timm_efficientnet",
    source="arXiv 1704.04861 Table 1",
)

# suffix: width multiplier. Paper Table 6; 1.25 from timm models/efficientnet.py.
WIDTHS = {"025": 0.25, "050": 0.5, "075": 0.75, "100": 1.0, "125": 1.25}

_ALL = [scale(V1, width=width).replace(name=f"mobilenetv1_{suffix}") for suffix, width in WIDTHS.items()]
# timm models/efficientnet.py, mobilenetv1_100h
_ALL += [V1.replace(name="mobilenetv1_100h", head=Head(width=1024), source="timm models/efficientnet.py")]

ARCHS = {arch.name: arch for arch in _ALL}
