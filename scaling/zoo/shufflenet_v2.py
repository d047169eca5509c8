"""ShuffleNet V2 (arXiv 1807.11164), in torchvision's names, and ThunderNet's SNets (arXiv 1903.11752).

An SNet is a ShuffleNet V2 with 5x5 depthwise convolutions.
"""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, Pool, ShuffleV2
from scaling.arch.head import Head
from scaling.arch.stages import Stage

# size: (stem, stages 2 to 4, last convolution). arXiv 1807.11164 Table 5, column by column
V2_ROWS = {
    "x0_5": (24, (48, 96, 192), 1024),
    "x1_0": (24, (116, 232, 464), 1024),
    "x1_5": (24, (176, 352, 704), 1024),
    "x2_0": (24, (244, 488, 976), 2048),
}

# name: (stem, stages 2 to 4, last convolution). arXiv 1903.11752, as coded in public re-implementations;
# by count 51.2, 161.1 and 535.4 million multiply-adds (docs/decisions.md).
SNET_ROWS = {
    "snet49": (24, (60, 120, 240), 512),
    "snet146": (24, (132, 264, 528), None),
    "snet535": (48, (248, 496, 992), None),
}


def _arch(name: str, family: str, kernel: int, row: tuple[int, tuple[int, int, int], int | None]) -> Arch:
    stem, (second, third, fourth), head = row
    block = ShuffleV2(kernel)
    return Arch(
        name=name,
        family=family,
        stem=(Stage(Conv(3), stem, stride=2), Stage(Pool("max", 3), stem, stride=2)),
        stages=(
            Stage(block, second, repeats=4, stride=2),
            Stage(block, third, repeats=8, stride=2),
            Stage(block, fourth, repeats=4, stride=2),
        ),
        head=Head(width=head),
        resolution=224,
        rounding="shufflenet",
    )


def _v2(size: str) -> Arch:
    arch = _arch(f"shufflenet_v2_{size}", "shufflenet_v2", 3, V2_ROWS[size])
    return arch.replace(weights="torchvision_shufflenet", source="arXiv 1807.11164 Table 5")


def _snet(name: str) -> Arch:
    return _arch(name, "snet", 5, SNET_ROWS[name]).replace(
        source="arXiv 1903.11752, as coded in public re-implementations"
    )


ARCHS = {arch.name: arch for arch in [*map(_v2, V2_ROWS), *map(_snet, SNET_ROWS)]}
