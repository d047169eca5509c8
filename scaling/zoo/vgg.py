"""VGG 11, 13, 16 and 19 (arXiv 1409.1556 Table 1), with and without batch norm, in timm's names.

As in timm, the first hidden layer is a 7x7 convolution that slides over maps larger than 7x7. The stage at
full resolution is the stem.
"""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, Pool
from scaling.arch.head import Head
from scaling.arch.stages import Stage

WIDTHS = (64, 128, 256, 512, 512)
POOL = Pool("max", 2, pad=0)

# layers with weights: convolutions a stage. arXiv 1409.1556 Table 1, columns A, B, D, E
ROWS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}


def _arch(layers: int, norm: bool) -> Arch:
    block, repeats = Conv(3, norm=norm, bias=True), ROWS[layers]
    stem = (Stage(block, WIDTHS[0]),) * repeats[0] + (Stage(POOL, WIDTHS[0], stride=2),)
    rows = zip(WIDTHS[1:], repeats[1:])
    stages = (stage for width, n in rows for stage in (Stage(block, width, n), Stage(POOL, width, stride=2)))
    return Arch(
        name=f"vgg{layers}" + ("_bn" if norm else ""),
        family="vgg",
        stem=stem,
        stages=tuple(stages),
        head=Head(hidden=(4096, 4096), grid=7, slide=True),
        resolution=224,
        rounding="chain",
        drop_rate=0.5,
        weights="timm_vgg",
        source="arXiv 1409.1556 Table 1" + (", batch norm as torchvision" if norm else ""),
    )


_ALL = [_arch(layers, norm) for layers in ROWS for norm in (False, True)]

ARCHS = {arch.name: arch for arch in _ALL}
