"""The block values that a stage repeats: frozen dataclasses that cite papers and answer for themselves."""

from __future__ import annotations

from scaling.arch.blocks.base import Block
from scaling.arch.blocks.causal import Causal
from scaling.arch.blocks.cell import Cell
from scaling.arch.blocks.conv import Conv, Fire, MLPConv
from scaling.arch.blocks.convnext import ConvNeXt, Patches
from scaling.arch.blocks.dense import Dense, Transition
from scaling.arch.blocks.ghost import GhostBottleneck
from scaling.arch.blocks.inception import Filter, Fork, Inception, Xception
from scaling.arch.blocks.lenet import Partial, Subsampling
from scaling.arch.blocks.local import Local, Parts
from scaling.arch.blocks.mobile import DepthwiseSeparable, FusedMBConv, MBConv
from scaling.arch.blocks.pool import Dropout, LocalNorm, Pool
from scaling.arch.blocks.recurrent import Lstm
from scaling.arch.blocks.residual import Residual, XBlock
from scaling.arch.blocks.shuffle import ShuffleV1, ShuffleV2

# Every kind; the module of each is in `scaling.models.blocks.MODULES`
BLOCKS: tuple[type[Block], ...] = (
    Conv,
    Pool,
    MBConv,
    FusedMBConv,
    Residual,
    DepthwiseSeparable,
    ShuffleV1,
    ShuffleV2,
    LocalNorm,
    Dropout,
    MLPConv,
    Fire,
    XBlock,
    Dense,
    Transition,
    Patches,
    ConvNeXt,
    Inception,
    Xception,
    Cell,
    GhostBottleneck,
    Causal,
    Subsampling,
    Partial,
    Lstm,
    Local,
    Parts,
)
PARTS = (Filter, Fork)  # what blocks are made of: they are written down as blocks are
