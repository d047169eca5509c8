"""EfficientNet B0-B8 and L2 (arXiv 1905.11946) and EfficientNet-Lite0-4, in timm's names.

Plain names pad as PyTorch does with batch-norm eps 1e-5; `tf_` names pad as TensorFlow does with eps
1e-3. Both keep timm's running-statistics decay of 0.9; the paper trains with 0.99.
"""

from __future__ import annotations

import dataclasses

from scaling.arch.arch import Arch, Norm
from scaling.arch.blocks import Conv, MBConv
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.rules.factors import EFFICIENTNET_ROWS
from scaling.rules.scale import scale

TF_NORM = Norm(eps=1e-3)

# arXiv 1905.11946 Table 1; strides and SE ratio from tensorflow/tpu efficientnet_builder.py.
B0 = Arch(
    name="efficientnet_b0",
    family="efficientnet",
    stem=(Stage(Conv(3), 32, stride=2),),  # row 1
    stages=(
        Stage(MBConv(3, expand=1), 16, repeats=1, stride=1),  # row 2
        Stage(MBConv(3, expand=6), 24, repeats=2, stride=2),  # row 3
        Stage(MBConv(5, expand=6), 40, repeats=2, stride=2),  # row 4
        Stage(MBConv(3, expand=6), 80, repeats=3, stride=2),  # row 5
        Stage(MBConv(5, expand=6), 112, repeats=3, stride=1),  # row 6
        Stage(MBConv(5, expand=6), 192, repeats=4, stride=2),  # row 7
        Stage(MBConv(3, expand=6), 320, repeats=1, stride=1),  # row 8
    ),
    head=Head(width=1280),  # row 9
    resolution=224,
    activation="silu",
    rounding="efficientnet",
    drop_rate=0.2,
    drop_path_rate=0.2,
    weights="timm_efficientnet",
    source="arXiv 1905.11946 Table 1",
)

# B0 without squeeze-excite, relu6 for silu: tensorflow/tpu models/official/efficientnet/lite.
LITE0 = dataclasses.replace(
    B0,
    name="efficientnet_lite0",
    family="efficientnet_lite",
    stages=tuple(
        dataclasses.replace(stage, block=dataclasses.replace(stage.block, se_ratio=0.0))
        for stage in B0.stages
    ),
    activation="relu6",
    rounding="efficientnet_lite",
    source="tensorflow/tpu models/official/efficientnet/lite/efficientnet_lite_builder.py",
)

# Dropout from B0 on, tensorflow/tpu .../efficientnet_builder.py
DROPOUT = (0.2, 0.2, 0.3, 0.3, 0.4, 0.4, 0.5, 0.5, 0.5, 0.5)
# suffix: (width, depth, resolution, dropout)
V1_ROWS = {
    name: (width, depth, side, dropout)
    for (name, width, depth, side), dropout in zip(EFFICIENTNET_ROWS, DROPOUT, strict=True)
}

# suffix: (width, depth, resolution, dropout), tensorflow/tpu .../lite/efficientnet_lite_builder.py
LITE_ROWS = {
    "lite0": (1.0, 1.0, 224, 0.2),
    "lite1": (1.0, 1.1, 240, 0.2),
    "lite2": (1.1, 1.2, 260, 0.3),
    "lite3": (1.2, 1.4, 280, 0.3),
    "lite4": (1.4, 1.8, 300, 0.3),
}


def official(base: Arch, name: str, row: tuple[float, float, int, float]) -> Arch:
    """Scale `base` by an official (width, depth, resolution, dropout) row."""
    width, depth, resolution, dropout = row
    scaled = scale(base, depth=depth, width=width)
    return scaled.replace(name=name, resolution=resolution, drop_rate=dropout)


def tensorflow(arch: Arch) -> Arch:
    """The `tf_` form: TensorFlow's padding and batch-norm epsilon."""
    return arch.replace(name=f"tf_{arch.name}", padding="tf", norm=TF_NORM)


_TORCH = [official(B0, f"efficientnet_{suffix}", row) for suffix, row in V1_ROWS.items()] + [
    official(LITE0, f"efficientnet_{suffix}", row) for suffix, row in LITE_ROWS.items()
]

ARCHS = {arch.name: arch for arch in _TORCH + [tensorflow(arch) for arch in _TORCH]}
