"""EfficientNetV2 B0-B3, S, M, L, XL (arXiv 2104.00298), in timm's names.

`resolution` is the evaluation side of google/automl's configurations; training there is progressive.
"""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, FusedMBConv, MBConv
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.zoo.efficientnet import official, tensorflow

SOURCE = "google/automl efficientnetv2/effnetv2_configs.py"


def _arch(
    name: str, stem: int, stages: tuple[Stage, ...], resolution: int, dropout: float, source: str = SOURCE
) -> Arch:
    return Arch(
        name=name,
        family="efficientnet_v2",
        stem=(Stage(Conv(3), stem, stride=2),),
        stages=stages,
        head=Head(width=1280),
        resolution=resolution,
        activation="silu",
        rounding="efficientnet_v2",
        drop_rate=dropout,
        drop_path_rate=0.2,
        weights="timm_efficientnet",
        source=source,
    )


# google/automl effnetv2_configs.py, v2_base_block
B0 = _arch(
    "efficientnetv2_b0",
    32,
    (
        Stage(Conv(3, skip=True), 16, repeats=1, stride=1),
        Stage(FusedMBConv(3, expand=4), 32, repeats=2, stride=2),
        Stage(FusedMBConv(3, expand=4), 48, repeats=2, stride=2),
        Stage(MBConv(3, expand=4), 96, repeats=3, stride=2),
        Stage(MBConv(3, expand=6), 112, repeats=5, stride=1),
        Stage(MBConv(3, expand=6), 192, repeats=8, stride=2),
    ),
    resolution=224,
    dropout=0.2,
)

# arXiv 2104.00298 Table 4
S = _arch(
    "efficientnetv2_s",
    24,
    (
        Stage(Conv(3, skip=True), 24, repeats=2, stride=1),  # row 1
        Stage(FusedMBConv(3, expand=4), 48, repeats=4, stride=2),  # row 2
        Stage(FusedMBConv(3, expand=4), 64, repeats=4, stride=2),  # row 3
        Stage(MBConv(3, expand=4), 128, repeats=6, stride=2),  # row 4
        Stage(MBConv(3, expand=6), 160, repeats=9, stride=1),  # row 5
        Stage(MBConv(3, expand=6), 256, repeats=15, stride=2),  # row 6
    ),
    resolution=384,
    dropout=0.2,
    source="arXiv 2104.00298 Table 4",
)

# google/automl effnetv2_configs.py, v2_m_block
M = _arch(
    "efficientnetv2_m",
    24,
    (
        Stage(Conv(3, skip=True), 24, repeats=3, stride=1),
        Stage(FusedMBConv(3, expand=4), 48, repeats=5, stride=2),
        Stage(FusedMBConv(3, expand=4), 80, repeats=5, stride=2),
        Stage(MBConv(3, expand=4), 160, repeats=7, stride=2),
        Stage(MBConv(3, expand=6), 176, repeats=14, stride=1),
        Stage(MBConv(3, expand=6), 304, repeats=18, stride=2),
        Stage(MBConv(3, expand=6), 512, repeats=5, stride=1),
    ),
    resolution=480,
    dropout=0.3,
)

# google/automl effnetv2_configs.py, v2_l_block
L = _arch(
    "efficientnetv2_l",
    32,
    (
        Stage(Conv(3, skip=True), 32, repeats=4, stride=1),
        Stage(FusedMBConv(3, expand=4), 64, repeats=7, stride=2),
        Stage(FusedMBConv(3, expand=4), 96, repeats=7, stride=2),
        Stage(MBConv(3, expand=4), 192, repeats=10, stride=2),
        Stage(MBConv(3, expand=6), 224, repeats=19, stride=1),
        Stage(MBConv(3, expand=6), 384, repeats=25, stride=2),
        Stage(MBConv(3, expand=6), 640, repeats=7, stride=1),
    ),
    resolution=480,
    dropout=0.4,
)

# google/automl effnetv2_configs.py, v2_xl_block
XL = _arch(
    "efficientnetv2_xl",
    32,
    (
        Stage(Conv(3, skip=True), 32, repeats=4, stride=1),
        Stage(FusedMBConv(3, expand=4), 64, repeats=8, stride=2),
        Stage(FusedMBConv(3, expand=4), 96, repeats=8, stride=2),
        Stage(MBConv(3, expand=4), 192, repeats=16, stride=2),
        Stage(MBConv(3, expand=6), 256, repeats=24, stride=1),
        Stage(MBConv(3, expand=6), 512, repeats=32, stride=2),
        Stage(MBConv(3, expand=6), 640, repeats=8, stride=1),
    ),
    resolution=512,
    dropout=0.4,
)

# suffix: (width, depth, resolution, dropout), google/automl effnetv2_configs.py
B_ROWS = {
    "b0": (1.0, 1.0, 224, 0.2),
    "b1": (1.0, 1.1, 240, 0.2),
    "b2": (1.1, 1.2, 260, 0.3),
    "b3": (1.2, 1.4, 300, 0.3),
}

_TORCH = [S, M, L, XL]
_SMALL = [official(B0, f"efficientnetv2_{suffix}", row) for suffix, row in B_ROWS.items()]

# timm has the B sizes in the tf_ form only
ARCHS = {arch.name: arch for arch in _TORCH + [tensorflow(arch) for arch in _SMALL + _TORCH]}
