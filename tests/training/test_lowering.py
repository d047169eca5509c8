"""Every training and evaluation step also lowers to programs for GPUs and TPUs, without such devices."""

from itertools import groupby

import jax
import pytest
from jax import export

from scaling.arch import blocks
from scaling.arch.anchors import DefaultBoxes, PixelAnchors
from scaling.arch.arch import Arch
from scaling.arch.box_heads import RetinaNet, Ssd
from scaling.arch.head import Head
from scaling.arch.necks import Extras, Fpn
from scaling.arch.region_heads import TwoStage
from scaling.arch.region_stages import BoxStage
from scaling.arch.stages import Stage, settle
from scaling.models.operators import BY_BACKEND
from scaling.training.parallel import ENGINES
from scaling.training.plan import make_plan
from scaling.training.runtime import Runtime

# Backends that run the same operators run the same program, which is traced once for all of them
BACKENDS = [tuple(same) for _, same in groupby(("gpu", "tpu"), BY_BACKEND.get)]
PLATFORMS = {"gpu": "cuda", "tpu": "tpu"}  # as lowering names them

BODY = (
    blocks.Conv(skip=True, groups=2, bias=True),
    blocks.FusedMBConv(expand=2),
    blocks.MBConv(kernel=5, expand=2, se_gate="hard_sigmoid", act="hard_swish"),
    blocks.Residual((1, 3, 1), 0.5, 1, se_ratio=0.25, shortcut="pool"),
    blocks.Residual(preact=True, shortcut="zero_pad"),
    blocks.XBlock(group_width=4, se_ratio=0.25),
    blocks.DepthwiseSeparable(),
    blocks.GhostBottleneck(expand=2, se_ratio=0.25),
    blocks.Causal(dilation=2),
    blocks.ShuffleV1(groups=2),
    blocks.ShuffleV2(),
    blocks.ConvNeXt(kernel=3, expand=2),
    blocks.Fire(),
    blocks.MLPConv(inner=(8,)),
    blocks.Xception((8,)),
    blocks.Inception(((blocks.Filter((1, 3), 8),), (blocks.Pool("avg"), blocks.Filter((1, 1), 8)))),
    blocks.Dense(growth=8, layers=2),
    blocks.Transition(),
    blocks.LocalNorm(),
    blocks.Dropout(),
    blocks.Partial(((0, 1), (1, 2))),
    blocks.Subsampling(),
    blocks.Lstm(),
    blocks.Local(),
    blocks.Parts(((0, 0, 1, 1), (0.5, 0, 0.5, 1)), 2),
    blocks.Pool(),
)


def every_block() -> Arch:
    """A stage of every kind of block; those that repeat are there twice, the second time scanned."""
    stages = (Stage(block, 16, 3 if block.repeatable else 1) for block in BODY)
    return arch_of(settle(tuple(stages), 8))


def arch_of(stages: tuple[Stage, ...]) -> Arch:
    stem = (Stage(blocks.Patches(), 8, stride=2),)
    return Arch("every", "tests", stem, stages, Head(width=8), 8, drop_rate=0.1, drop_path_rate=0.1)


def cells() -> Arch:
    """An edge of every operation that keeps its side, and one that chooses between two."""
    names = ("none", "skip", "avg_3x3", "max_3x3", "sep_3x3", "dil_3x3", "conv_1x1", "squeezed_dil_3x3")
    edges = tuple((name, i % 2) for i, name in enumerate(names))
    normal = blocks.Cell((edges, (("skip|sep_3x3", 0),)))
    return arch_of(
        (Stage(normal, 8, 4), Stage(blocks.Cell((edges,), strided_skip="factorized"), 8, stride=2))
    )


PLAIN = {"model.arch": arch_of((Stage(blocks.MBConv(expand=2), 8, 3),)).to_dict()}


def detector(head) -> dict:
    """A run on boxes, which have no neighbours to be mixed with."""
    arch = arch_of((Stage(blocks.Conv(skip=True), 8, 3),)).replace(head=head, resolution=16)
    return {
        "model.arch": arch.to_dict(),
        "task": "detection",
        "data.source": "boxes",
        "data.validation": "val",
        "augment.mixup": 0.0,
        "train.batch": 8,
        "train.duration": "12 steps",
    }


RUNS = {
    "every_block": {"model.arch": every_block().to_dict()},
    "cells": {"model.arch": cells().to_dict()},
    "synced": PLAIN | {"train.batch_norm": "synced", "train.accumulate": 2},
    "bfloat16": PLAIN | {"model.dtype": "bfloat16", "model.remat": True, "train.ema": 0.0},
    "retinanet": detector(RetinaNet(Fpn(1, 1, 8), PixelAnchors(octaves=1), repeats=1)),
    "ssd": detector(Ssd(Extras(2, 1, (8,)), DefaultBoxes())),
    "two_stage": detector(
        TwoStage(Fpn(2, 1, 8, extra="pool"), PixelAnchors(2.0, 1), box=BoxStage(2, hidden=(8,)), proposals=4)
    ),
    "frozen": PLAIN | {"optimizer.frozen": ["stem", "stages_0"], "optimizer.name": "adamw"},
}


def test_no_kind_of_block_is_left_out():
    stages = (*every_block().stages, *every_block().stem, *cells().stages)
    assert {type(stage.block) for stage in stages} == set(blocks.BLOCKS)


# What a block does is the same on either engine
BOTH = [
    (run, engine)
    for run in RUNS
    for engine in ENGINES
    if engine == "jit" or run not in ("every_block", "cells")
]


@pytest.mark.representatives("synced-jit", night=7)
@pytest.mark.parametrize(("run", "engine"), BOTH)
@pytest.mark.parametrize("backends", BACKENDS, ids="_".join)
def test_the_steps_of_a_run_are_lowered(backends, run, engine, make_spec, boxes_dir, monkeypatch):
    lowered = []

    def compile(self, function, arguments, cut, donate):
        mapped = self.mapped(function, arguments, cut, donate)
        program = export.export(jax.jit(lambda *a: mapped(*a)), platforms=[PLATFORMS[b] for b in backends])
        lowered.append(program(*arguments))

    monkeypatch.setattr(jax, "default_backend", lambda: backends[0])
    monkeypatch.setattr(ENGINES[engine], "compile", compile)
    changes = {"train.engine": engine, "train.devices": 2, "augment.mixup": 0.2, **RUNS[run]}
    if "task" in changes:
        changes["data.dir"] = str(boxes_dir)
    spec = make_spec(changes)
    runtime = Runtime(make_plan(spec))
    assert runtime.plan.steps_per_call > 1
    runtime.compile()
    training, evaluation = lowered
    assert training.platforms == evaluation.platforms == tuple(PLATFORMS[b] for b in backends)
    assert training.nr_devices == 2
