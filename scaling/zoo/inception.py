"""GoogLeNet as torchvision and as the paper have it, and Inception v2 (BN-Inception).

`googlenet` is torchvision's: batch norm, a 3x3 filter where the paper has its 5x5, and two auxiliary
classifiers. `inception_v1` is arXiv 1409.4842 Table 1. `inception_v2` is arXiv 1502.03167 Figure 5; three of
its rows (4c, 4d, 4e) join to more channels than the figure prints as output, and slim's widths of the
pooling branch, which give the printed outputs, are used.
"""

from __future__ import annotations

from scaling.arch.arch import Arch, Norm
from scaling.arch.blocks import Conv, Inception, LocalNorm, Pool
from scaling.arch.head import Auxiliary, Head
from scaling.arch.stages import Stage, settle
from scaling.zoo.inception_parts import AVERAGE, MAX, one, shrink, square, stage

CAFFE = Pool("max", 3, pad=0, ceil=True)

# 1x1; 3x3 reduce, 3x3; 5x5 reduce, 5x5; pool projection. arXiv 1409.4842 Table 1
V1 = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
ORDER = ("3a", "3b", "pool", "4a", "4b", "4c", "4d", "4e", "pool", "5a", "5b")


def _v1_stages(large: int, norm: bool, last_pool: Pool) -> tuple[Stage, ...]:
    """The modules of Table 1, their largest filter of side `large`."""

    def module(name: str) -> Inception:
        alone, reduce3, width3, reduce5, width5, pooled = V1[name]
        branches = (
            (one(alone),),
            (one(reduce3), square(width3)),
            (one(reduce5), square(width5, large)),
            (MAX, one(pooled)),
        )
        return Inception(branches, norm)

    pools = iter((CAFFE, last_pool))
    made = (stage(next(pools), stride=2) if name == "pool" else stage(module(name)) for name in ORDER)
    return settle(tuple(made), 192)


def _auxiliary(norm: bool) -> tuple[Auxiliary, ...]:
    """Section 5: on top of 4a and 4d, with 0.3 of their loss; averaged to 4x4 at any resolution."""
    return tuple(Auxiliary(after=ORDER.index(name), norm=norm) for name in ("4a", "4d"))


GOOGLENET = Arch(
    "googlenet",
    "inception",
    stem=(
        Stage(Conv(7), 64, stride=2),
        Stage(CAFFE, 64, stride=2),
        Stage(Conv(1), 64),
        Stage(Conv(3), 192),
        Stage(CAFFE, 192, stride=2),
    ),
    stages=_v1_stages(large=3, norm=True, last_pool=Pool("max", 2, pad=0, ceil=True)),
    head=Head(),
    resolution=224,
    norm=Norm(eps=1e-3),
    rounding="inception",
    drop_rate=0.2,
    weights="tv_googlenet",
    source="arXiv 1409.4842 Table 1 as torchvision models/googlenet.py",
    auxiliary=_auxiliary(norm=True),
)


def _bare(kernel: int) -> Conv:
    return Conv(kernel, norm=False, bias=True)


# Figure 3 places the normalisations; their constants are those of BVLC/caffe models/bvlc_googlenet, whose
# alpha is divided by the size. Poolings round up, which gives the table's sides
LOCAL = LocalNorm(size=5, alpha=1e-4 / 5, beta=0.75, bias=1.0)
INCEPTION_V1 = Arch(
    "inception_v1",
    "inception",
    stem=(
        Stage(_bare(7), 64, stride=2),
        Stage(CAFFE, 64, stride=2),
        Stage(LOCAL, 64),
        Stage(_bare(1), 64),  # "#3x3 reduce" of the table's second convolution
        Stage(_bare(3), 192),
        Stage(LOCAL, 192),
        Stage(CAFFE, 192, stride=2),
    ),
    stages=_v1_stages(large=5, norm=False, last_pool=CAFFE),
    head=Head(),
    resolution=224,
    rounding="inception",
    drop_rate=0.4,
    source="arXiv 1409.4842 Table 1 and Figure 3",
    auxiliary=_auxiliary(norm=False),
)

# 1x1; 3x3 reduce, 3x3; double 3x3 reduce, double 3x3; pooling and its projection. arXiv 1502.03167 Figure 5,
# the projections of 4c and 4d from tensorflow/models research/slim/nets/inception_v2.py
V2 = (
    (64, 64, 64, 64, 96, AVERAGE, 32),  # 3a
    (64, 64, 96, 64, 96, AVERAGE, 64),  # 3b
    (128, 160, 64, 96),  # 3c, of stride 2: no 1x1, the pooling passes its input through
    (224, 64, 96, 96, 128, AVERAGE, 128),  # 4a
    (192, 96, 128, 96, 128, AVERAGE, 128),  # 4b
    (160, 128, 160, 128, 160, AVERAGE, 96),  # 4c
    (96, 128, 192, 160, 192, AVERAGE, 96),  # 4d
    (128, 192, 192, 256),  # 4e, of stride 2
    (352, 192, 320, 160, 224, AVERAGE, 128),  # 5a
    (352, 192, 320, 192, 224, MAX, 128),  # 5b
)


def _v2_module(alone, reduce3, width3, reduce33, width33, pool: Pool, pooled) -> Stage:
    branches = (
        (one(alone),),
        (one(reduce3), square(width3)),
        (one(reduce33), square(width33), square(width33)),
        (pool, one(pooled)),
    )
    return stage(Inception(branches))


def _v2_reduction(reduce3, width3, reduce33, width33) -> Stage:
    branches = (
        (one(reduce3), shrink(width3, pad=None)),
        (one(reduce33), square(width33), shrink(width33, pad=None)),
        (MAX,),
    )
    return stage(Inception(branches), stride=2)


INCEPTION_V2 = Arch(
    "inception_v2",
    "inception",
    stem=(
        Stage(Conv(7), 64, stride=2),
        Stage(MAX, 64, stride=2),
        Stage(Conv(1), 64),
        Stage(Conv(3), 192),
        Stage(MAX, 192, stride=2),
    ),
    stages=settle(tuple(_v2_reduction(*line) if len(line) == 4 else _v2_module(*line) for line in V2), 192),
    head=Head(),
    resolution=224,
    norm=Norm(eps=1e-3),
    rounding="inception",
    source="arXiv 1502.03167 Figure 5 and slim nets/inception_v2.py",
)

ARCHS = {arch.name: arch for arch in (GOOGLENET, INCEPTION_V1, INCEPTION_V2)}
