"""ResNet-RS 50-420 in timm's names: deep stem, strided convolution for pooling, ResNet-D, SE 1/4.

Source: arXiv 2103.07579 and tensorflow/tpu models/official/resnet/resnet_rs; drop rates as in its
configurations, resolutions timm's training sides.
"""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, Residual
from scaling.arch.stages import Stage
from scaling.rules.factors import RESNET_RS_REPEATS
from scaling.zoo.resnet import imagenet

STEM = (
    Stage(Conv(3), 32, stride=2),
    Stage(Conv(3), 32),
    Stage(Conv(3), 64),
    Stage(Conv(3), 64, stride=2),  # in the place of the max pool
)
BLOCK = Residual(kernels=(1, 3, 1), inner=0.25, stride_at=1, se_ratio=0.25, shortcut="pool")

# depth: (resolution, dropout, drop path)
ROWS = {
    50: (160, 0.25, 0.0),
    101: (192, 0.25, 0.0),
    152: (256, 0.25, 0.0),
    200: (256, 0.25, 0.1),
    270: (256, 0.25, 0.1),
    350: (288, 0.4, 0.1),
    420: (320, 0.4, 0.1),
}


def _arch(depth: int) -> Arch:
    resolution, dropout, drop_path = ROWS[depth]
    return imagenet(
        f"resnetrs{depth}",
        "resnet_rs",
        BLOCK,
        RESNET_RS_REPEATS[depth],
        "arXiv 2103.07579",
        stem=STEM,
        resolution=resolution,
        drop_rate=dropout,
        drop_path_rate=drop_path,
    )


ARCHS = {f"resnetrs{depth}": _arch(depth) for depth in ROWS}
