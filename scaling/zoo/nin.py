"""Network in Network for CIFAR-10 (arXiv 1312.4400): mlpconv layers, no hidden layer, global pooling.

Widths are those of the authors' published definition (cuda-convnet and Caffe, CIFAR-10), which the paper's
section 4.1 describes without numbers. The last 1x1 convolution, to the classes, is the head.
"""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Dropout, MLPConv, Pool
from scaling.arch.head import Head
from scaling.arch.stages import Stage

NIN = Arch(
    name="nin_cifar10",
    family="nin",
    stem=(Stage(MLPConv(5, (192, 160)), 96),),  # conv1, cccp1, cccp2
    stages=(
        Stage(Pool("max", 3, pad=0, ceil=True), 96, stride=2),  # pool1
        Stage(Dropout(), 96),
        Stage(MLPConv(5, (192, 192)), 192),  # conv2, cccp3, cccp4
        Stage(Pool("avg", 3, pad=0, ceil=True), 192, stride=2),  # pool2
        Stage(Dropout(), 192),
        Stage(MLPConv(3, (192,)), 192),  # conv3, cccp5; cccp6 classifies
    ),
    head=Head(per_pixel=True),
    resolution=32,
    num_classes=10,
    rounding="chain",
    drop_rate=0.5,
    source="arXiv 1312.4400 section 4.1, widths of the authors' CIFAR-10 definition",
)

ARCHS = {NIN.name: NIN}
