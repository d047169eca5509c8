"""GhostNet (arXiv 1911.11907) by timm's name; blocks that differ are stages of their own."""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, GhostBottleneck
from scaling.arch.head import Head
from scaling.arch.stages import Stage

SE = 0.25

# arXiv 1911.11907 Table 1; expansion sizes over input widths: 48/16, 72/24, 120/40, 240/40, 200/80, 184/80
GHOSTNET = Arch(
    name="ghostnet_100",
    family="ghostnet",
    stem=(Stage(Conv(3), 16, stride=2),),
    stages=(
        Stage(GhostBottleneck(3, 1), 16),
        Stage(GhostBottleneck(3, 3), 24, repeats=2, stride=2),
        Stage(GhostBottleneck(5, 3, SE), 40, repeats=2, stride=2),
        Stage(GhostBottleneck(3, 6), 80, stride=2),
        Stage(GhostBottleneck(3, 2.5), 80),
        Stage(GhostBottleneck(3, 2.3), 80, repeats=2),
        Stage(GhostBottleneck(3, 6, SE), 112, repeats=2),
        Stage(GhostBottleneck(5, 6, SE), 160, stride=2),
        Stage(GhostBottleneck(5, 6), 160),
        Stage(GhostBottleneck(5, 6, SE), 160),
        Stage(GhostBottleneck(5, 6), 160),
        Stage(GhostBottleneck(5, 6, SE), 160),
    ),
    head=Head(width=960, hidden=(1280,)),
    resolution=224,
    rounding="ghostnet",
    drop_rate=0.2,  # huawei-noah/Efficient-AI-Backbones ghostnet_pytorch/ghostnet.py
    weights="timm_ghostnet",
    source="arXiv 1911.11907 Table 1",
)

ARCHS = {GHOSTNET.name: GHOSTNET}
