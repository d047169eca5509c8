"""AlexNet and ZFNet, both without batch norm.

`alexnet` is torchvision's, of one column (arXiv 1404.5997); `alexnet_2012` the paper's two columns, that
is groups of 2, with local response normalisation and overlapping pooling. `alexnet_32` is the form for
CIFAR images that surveys print, `zfnet` arXiv 1311.2901. The two layers of large windows are the stem:
depth scaling repeats the 3x3 convolutions. Dropout follows every hidden layer, as the papers have it.
"""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, LocalNorm, Pool
from scaling.arch.head import Head
from scaling.arch.stages import Stage

POOL = Pool("max", 3, pad=0)  # of stride 2: windows overlap
HIDDEN = (4096, 4096)


def conv(kernel: int, pad: int | None = None, groups: int = 1) -> Conv:
    """A convolution with bias and activation, without norm."""
    return Conv(kernel, groups=groups, norm=False, bias=True, pad=pad)


def _body(widths: tuple[int, int, int], groups: tuple[int, int, int], pool: Pool) -> tuple[Stage, ...]:
    """Three 3x3 convolutions and a pooling."""
    layers = (Stage(conv(3, groups=g), width) for width, g in zip(widths, groups))
    return (*layers, Stage(pool, widths[-1], stride=2))


def _arch(name: str, stem: tuple[Stage, ...], stages: tuple[Stage, ...], **fields) -> Arch:
    defaults = {"family": "alexnet", "resolution": 224, "rounding": "chain", "drop_rate": 0.5}
    head = Head(hidden=HIDDEN, grid=fields.pop("grid", 6))
    return Arch(name, stem=stem, stages=stages, head=head, **{**defaults, **fields})


_ALL = [
    _arch(
        "alexnet",
        stem=(
            Stage(conv(11, pad=2), 64, stride=4),
            Stage(POOL, 64, stride=2),
            Stage(conv(5), 192),
            Stage(POOL, 192, stride=2),
        ),
        stages=_body((384, 256, 256), (1, 1, 1), POOL),
        weights="tv_alexnet",
        source="arXiv 1404.5997 section 5 as torchvision models/alexnet.py",
    ),
    _arch(
        # Section 3.5 and Figure 2; 227 pixels, since 224 do not give the 55 x 55 map of the figure
        "alexnet_2012",
        stem=(
            Stage(conv(11, pad=0), 96, stride=4),
            Stage(LocalNorm(), 96),  # section 3.3
            Stage(POOL, 96, stride=2),  # section 3.4
            Stage(conv(5, groups=2), 256),
            Stage(LocalNorm(), 256),
            Stage(POOL, 256, stride=2),
        ),
        stages=_body((384, 384, 256), (1, 2, 2), POOL),
        resolution=227,
        source="Krizhevsky et al., NIPS 2012, Figure 2 and sections 3.3-3.5",
    ),
    _arch(
        # Its 29,617,546 parameters and the sides 32-24-12-6-3 fix all but the pooling window, here 2x2
        "alexnet_32",
        stem=(
            Stage(conv(11, pad=1), 96),
            Stage(Pool("max", 2, pad=0), 96, stride=2),
            Stage(conv(3), 256),
            Stage(Pool("max", 2, pad=0), 256, stride=2),
        ),
        stages=_body((384, 384, 256), (1, 1, 1), Pool("max", 2, pad=0)),
        grid=3,
        resolution=32,
        num_classes=10,
        source="surveys of convolutional networks, from parameters and sides",
    ),
    _arch(
        # Figure 3: pooling before normalisation; padding and rounding up give its sides 110-55-26-13-6
        "zfnet",
        stem=(
            Stage(conv(7, pad=1), 96, stride=2),
            Stage(Pool("max", 3, pad=0, ceil=True), 96, stride=2),
            Stage(LocalNorm(), 96),
            Stage(conv(5, pad=0), 256, stride=2),
            Stage(Pool("max", 3, pad=0, ceil=True), 256, stride=2),
            Stage(LocalNorm(), 256),
        ),
        stages=_body((384, 384, 256), (1, 1, 1), POOL),
        family="zfnet",
        source="arXiv 1311.2901 Figure 3",
    ),
]

ARCHS = {arch.name: arch for arch in _ALL}
