"""SqueezeNet 1.0 (arXiv 1602.07360 Table 1) and 1.1 (the authors' later release), in torchvision's names."""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, Fire, Pool
from scaling.arch.head import Head
from scaling.arch.stages import Stage

FIRE = Fire(0.125)  # Table 1: squeeze widths 16 to 64 of 128 to 512


def _pool(width: int) -> Stage:
    return Stage(Pool("max", 3, pad=0, ceil=True), width, stride=2)


def _arch(version: str, stem: Stage, stages: tuple[Stage, ...], source: str) -> Arch:
    return Arch(
        name=f"squeezenet{version}",
        family="squeezenet",
        stem=(stem, _pool(stem.width)),
        stages=stages,
        head=Head(per_pixel=True),
        resolution=224,
        rounding="chain",
        drop_rate=0.5,
        weights="tv_squeezenet",
        source=source,
    )


def _conv(kernel: int) -> Conv:
    return Conv(kernel, norm=False, bias=True, pad=0)


_ALL = [
    _arch(
        "1_0",
        Stage(_conv(7), 96, stride=2),  # conv1
        (
            Stage(FIRE, 128, repeats=2),  # fire2, fire3
            Stage(FIRE, 256),  # fire4
            _pool(256),
            Stage(FIRE, 256),  # fire5
            Stage(FIRE, 384, repeats=2),  # fire6, fire7
            Stage(FIRE, 512),  # fire8
            _pool(512),
            Stage(FIRE, 512),  # fire9
        ),
        "arXiv 1602.07360 Table 1",
    ),
    _arch(
        "1_1",
        Stage(_conv(3), 64, stride=2),
        (
            Stage(FIRE, 128, repeats=2),
            _pool(128),
            Stage(FIRE, 256, repeats=2),
            _pool(256),
            Stage(FIRE, 384, repeats=2),
            Stage(FIRE, 512, repeats=2),
        ),
        "arXiv 1602.07360 Table 1 with pooling earlier: forresti/SqueezeNet SqueezeNet_v1.1",
    ),
]

ARCHS = {arch.name: arch for arch in _ALL}
