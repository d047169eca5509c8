"""MobileNetV3 large and small (arXiv 1905.02244), in timm's names: the suffix is the width multiplier.

Blocks that differ are stages of their own, so depth scaling repeats each kind of block: one becomes two
at any factor above 1, three become four up to 4/3. `minimal` forms have no squeeze-excite, only 3x3
kernels and relu. `tf_` names pad as TensorFlow does.
"""

from __future__ import annotations

import dataclasses

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, MBConv
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.rules.scale import scale
from scaling.zoo.efficientnet import tensorflow

SQUEEZE = {"se_ratio": 0.25, "se_expanded": True, "se_act": "relu", "se_gate": "hard_sigmoid"}


def _block(kernel: int, expand: float, act: str = "", se: bool = False) -> MBConv:
    """One row's block: RE is act="relu", HS the network's; SE squeezes to a quarter of the expansion."""
    block = MBConv(kernel, expand, 0.0, act)
    return dataclasses.replace(block, **SQUEEZE) if se else block


# arXiv 1905.02244 Table 1; expansion sizes over input widths: 64/16, 72/24, 120/40, 240/40, 200/80, 184/80
LARGE = Arch(
    name="mobilenetv3_large_100",
    family="mobilenet_v3",
    stem=(Stage(Conv(3), 16, stride=2),),  # row 1
    stages=(
        Stage(_block(3, 1, "relu"), 16),  # row 2
        Stage(_block(3, 4, "relu"), 24, stride=2),  # row 3
        Stage(_block(3, 3, "relu"), 24),  # row 4
        Stage(_block(5, 3, "relu", se=True), 40, repeats=3, stride=2),  # rows 5-7
        Stage(_block(3, 6), 80, stride=2),  # row 8
        Stage(_block(3, 2.5), 80),  # row 9
        Stage(_block(3, 2.3), 80, repeats=2),  # rows 10-11
        Stage(_block(3, 6, se=True), 112, repeats=2),  # rows 12-13
        Stage(_block(5, 6, se=True), 160, repeats=3, stride=2),  # rows 14-16
    ),
    head=Head(width=960, hidden=(1280,)),  # rows 17-20
    resolution=224,
    activation="hard_swish",
    rounding="mobilenet_v3",
    drop_rate=0.2,  # section 6.1.1
    weights="timm_mobilenet_v3_large",
    source="arXiv 1905.02244 Table 1",
)

# arXiv 1905.02244 Table 2; expansion sizes over input widths: 72/16, 88/24, 96/24, 240/40, 120/40, 288/48
SMALL = dataclasses.replace(
    LARGE,
    name="mobilenetv3_small_100",
    stages=(
        Stage(_block(3, 1, "relu", se=True), 16, stride=2),  # row 2
        Stage(_block(3, 4.5, "relu"), 24, stride=2),  # row 3
        Stage(_block(3, 3.67, "relu"), 24),  # row 4
        Stage(_block(5, 4, se=True), 40, stride=2),  # row 5
        Stage(_block(5, 6, se=True), 40, repeats=2),  # rows 6-7
        Stage(_block(5, 3, se=True), 48, repeats=2),  # rows 8-9
        Stage(_block(5, 6, se=True), 96, repeats=3, stride=2),  # rows 10-12
    ),
    head=Head(width=576, hidden=(1024,)),  # rows 13-16
    weights="timm_mobilenet_v3_small",
    source="arXiv 1905.02244 Table 2",
)


def _minimal(arch: Arch) -> Arch:
    """The minimalistic form: tensorflow/models research/slim/nets/mobilenet/mobilenet_v3.py."""
    stages = tuple(
        dataclasses.replace(stage, block=MBConv(3, stage.block.expand, 0.0))
        for stage in arch.stages
        if isinstance(stage.block, MBConv)
    )
    name = arch.name.replace("_100", "_minimal_100")
    return arch.replace(name=name, stages=stages, activation="relu")


def _width(arch: Arch, width: float) -> Arch:
    name = arch.name.replace("_100", f"_{100 * width:03.0f}")
    return scale(arch, width=width).replace(name=name)


# The multipliers of timm models/mobilenetv3.py; the paper trains 0.35, 0.5, 0.75, 1 and 1.25 (Figure 5)
_TORCH = [LARGE, SMALL, _width(LARGE, 0.75), _width(SMALL, 0.75), _width(SMALL, 0.5)]
_TF = [LARGE, SMALL, _width(LARGE, 0.75), _width(SMALL, 0.75), _minimal(LARGE), _minimal(SMALL)]

ARCHS = {arch.name: arch for arch in _TORCH + [tensorflow(arch) for arch in _TF]}
