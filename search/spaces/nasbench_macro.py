"""NAS-Bench-Macro (xiusu/NAS-Bench-Macro): 8 layers, each an identity or one of two MobileNetV2 blocks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scaling.arch.arch import Arch, Head, Stage
from scaling.arch.blocks import Conv, MBConv
from search.core import automaton
from search.core.space import Space
from search.core.table import Table, benchmark_table

STAGES = (2, 3, 3)  # layers of each; the first of a stage halves the side and doubles the channels
LAYERS = sum(STAGES)
CHOICES = ("identity", "mbconv3x3_expand3", "mbconv5x5_expand6")
IDENTITY = 0
# xiusu/NAS-Bench-Macro train/model.py; an identity that changes the shape is a 1x1 convolution
BLOCKS = (Conv(1, act=False), MBConv(3, expand=3, se_ratio=0.0), MBConv(5, expand=6, se_ratio=0.0))
STEM_WIDTH, HEAD_WIDTH = 32, 1280


def split(point: Sequence[int]) -> list[list[int]]:
    """The layers of each stage."""
    values = iter(point)
    return [[next(values) for _ in range(layers)] for layers in STAGES]


def first(point: Sequence[int]) -> list[int]:
    """The first point of the same network: identities that change no shape may stand anywhere in a stage."""
    stages = split(point)
    return [
        value
        for leading, *rest in stages
        for value in (leading, *[IDENTITY] * rest.count(IDENTITY), *(v for v in rest if v != IDENTITY))
    ]


def network(point: Sequence[int]) -> Arch:
    """The benchmark's network, for 10 classes at 32 px. Source: xiusu/NAS-Bench-Macro train/model.py."""
    stages, width = [], STEM_WIDTH
    for leading, *rest in split(point):
        width *= 2
        stages.append(Stage(BLOCKS[leading], width, stride=2))
        stages += [Stage(BLOCKS[value], width) for value in rest if value != IDENTITY]
    return Arch(
        "nasbench_macro",
        "nasbench_macro",
        stem=(Stage(Conv(3), STEM_WIDTH),),
        stages=tuple(stages),
        head=Head(width=HEAD_WIDTH),
        resolution=32,
        num_classes=10,
        source="arXiv 2103.11922; xiusu/NAS-Bench-Macro train/model.py",
    )


MOVES = automaton.product([len(CHOICES)] * LAYERS)
SPACE = Space("nasbench_macro", MOVES, network=network, normal_form=first)


def load(directory: Path) -> Table:
    """Read `nasbench_macro.csv.gz`: CIFAR-10 test accuracies of three runs, `mean_acc`, `params`, `flops`."""
    return benchmark_table(directory / "nasbench_macro.csv.gz", SPACE)
