"""LeNet-5 (LeCun et al., Proceedings of the IEEE 86, 1998), as it was and in the form that is built today.

In today's form layer C3 connects every map with every other, the subsampling averages without trainable
weights, tanh is unscaled and the output is linear. C5's 5x5 window over 5x5 pixels is the first hidden layer.
"""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, Partial, Pool, Subsampling
from scaling.arch.head import CODES, Head
from scaling.arch.stages import Stage

CONV = Conv(5, norm=False, bias=True, pad=0)
SUBSAMPLING = Pool("avg", 2, pad=0)
# Table I: which maps of S2 each map of C3 reads
C3 = (
    *((i % 6, (i + 1) % 6, (i + 2) % 6) for i in range(6)),
    *((i % 6, (i + 1) % 6, (i + 2) % 6, (i + 3) % 6) for i in range(6)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)

LENET5 = Arch(
    name="lenet5",
    family="lenet",
    # Figure 2 and section II.B, layer by layer; the sides are those of a 32-pixel digit
    stem=(
        Stage(CONV, 6),  # C1: 28
        Stage(SUBSAMPLING, 6, stride=2),  # S2: 14
    ),
    stages=(
        Stage(CONV, 16),  # C3: 10
        Stage(SUBSAMPLING, 16, stride=2),  # S4: 5
    ),
    head=Head(hidden=(120, 84), grid=5),  # C5, F6
    resolution=32,
    num_classes=10,
    in_channels=1,
    activation="tanh",
    rounding="chain",
    source="LeCun et al. 1998, Figure 2 and section II.B",
)

_AVERAGING = Subsampling(kernel=2, pad=0)
LENET5_1998 = LENET5.replace(
    name="lenet5_1998",
    stem=(Stage(CONV, 6), Stage(_AVERAGING, 6, stride=2)),
    stages=(Stage(Partial(C3, pad=0), 16), Stage(_AVERAGING, 16, stride=2)),
    head=Head(hidden=(120, 84), grid=5, output=CODES),
    activation="scaled_tanh",
    source="LeCun et al. 1998, section II.B, Table I and appendix A",
)

ARCHS = {arch.name: arch for arch in (LENET5, LENET5_1998)}
