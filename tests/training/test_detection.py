"""The laws of training hold for detectors: devices, engines, micro-batches, resuming; all of it learns."""

import dataclasses
import functools
import signal

import jax
import numpy as np
import pytest

from scaling.arch.anchors import DefaultBoxes, OctaveAnchors, PixelAnchors
from scaling.arch.box_heads import EfficientDet, RetinaNet, Ssd
from scaling.arch.necks import BiFpn, Extras, Fpn
from scaling.arch.region_heads import TwoStage
from scaling.arch.region_stages import BoxStage, MaskStage, Unique
from scaling.runs.spec import RunSpec
from scaling.training import Interrupted, loop, run
from scaling.training.plan import make_plan
from scaling.training.progress import Silent
from scaling.training.runtime import Runtime
from scaling.training.state import models

HEADS = {
    "retinanet": RetinaNet(Fpn(1, 1, 8), PixelAnchors(octaves=1), repeats=1),
    "efficientdet": EfficientDet(BiFpn(2, 1, 8, 1), OctaveAnchors(scale=2.0, octaves=1), repeats=1),
    "ssd": Ssd(Extras(2, 1, (8,)), DefaultBoxes(least=0.3, most=0.5)),
    "two_stage": TwoStage(
        Fpn(2, 1, 8, extra="pool"),
        PixelAnchors(scale=2.0, octaves=1),
        box=BoxStage(2, hidden=(8,)),
        proposals=12,
    ),
    "unique": TwoStage(
        Fpn(2, 1, 8, extra="pool"),
        PixelAnchors(scale=2.0, octaves=1),
        box=BoxStage(2, hidden=(8,), unique=Unique(6, 6, 2)),
        proposals=12,
    ),
}
STEPS = 2


@pytest.fixture(scope="module")
def make(tiny_arch, boxes_dir):
    """Return a function: the head's name and changed sections -> the spec of a run on rectangles."""

    def spec(head="retinanet", train=(), **sections):
        arch = tiny_arch.replace(head=HEADS[head], resolution=16, num_classes=2)
        defaults = {"batch": 8, "duration": f"{STEPS} steps", "devices": 1, "eval_batch": 4}
        config = {
            "task": "detection",
            "model": {"arch": arch.to_dict()},
            "data": {"source": "boxes", "dir": str(boxes_dir), "validation": "val"},
            "augment": {"crop": "resized", "area": [0.5, 1.0], "flip": True},
            "optimizer": {"lr": 0.01, "lr_batch": 0},
            "train": {**defaults, "regions": 8, **dict(train)},
        }
        return RunSpec.from_config({**config, **sections})

    return spec


@pytest.fixture(scope="module")
def trained(make):
    """Return a function that makes two steps: first and last host state, metrics, scores where asked for."""

    @functools.cache
    def train(head="retinanet", frozen=False, scored=True, **fields):
        optimizer = {"lr": 0.01, "lr_batch": 0, "frozen": ["stem", "stages_0"] if frozen else []}
        runtime = Runtime(make_plan(make(head, fields, optimizer=optimizer)))
        first = runtime.first_state()
        state, metrics = runtime.to_devices(first), []
        batches = runtime.batches(0)
        for call in runtime.plan.calls(0):
            state, found = runtime.program(runtime.plan.phase(call.start))(
                state, next(batches), runtime.resident
            )
            metrics.append(runtime.engine.unreplicate(found))
        batches.close()
        scores = {}
        if scored:
            scores = runtime.evaluate(models(state), runtime.plan.dataset.validation)["raw"]
        return first, runtime.to_host(state), metrics, scores

    return train


@pytest.mark.representatives(0, night=3)
@pytest.mark.parametrize(
    "engine, devices", [("jit", 2), ("pmap", 2), pytest.param("jit", 1, marks=pytest.mark.exhaustive)]
)
@pytest.mark.parametrize("head", HEADS)
def test_devices_and_engines_train_and_score_alike(trained, assert_equal, head, engine, devices):
    one, other = (
        trained(head, batch_norm="synced"), trained(head, batch_norm="synced", engine=engine, devices=devices)
    )  # fmt: skip
    assert_equal(one[1:3], other[1:3], rtol=2e-4, atol=2e-5)
    assert one[3] == pytest.approx(other[3], rel=1e-3)


@pytest.mark.nightly
@pytest.mark.parametrize("head", ["retinanet", "ssd", "two_stage"])
def test_micro_batches_make_one_batch_without_batch_norm(trained, assert_equal, head):
    """The loss is the mean of what each image says by itself."""
    whole, parts = (trained(head, True, False, accumulate=count) for count in (1, 4))
    assert_equal(whole[1:3], parts[1:3], rtol=2e-4, atol=2e-5)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("head", HEADS)
def test_every_parameter_learns(trained, head):
    first, last, metrics, scores = trained(head, batch_norm="synced")
    changed = jax.tree.map(lambda a, b: bool(np.any(a != b)), first.params, last.params)
    assert all(jax.tree.leaves(changed)), changed
    assert {"class_loss", "box_loss"} <= metrics[0].keys() and {"ap", "ap50", "ap75", "loss"} == scores.keys()


@pytest.mark.nightly
@pytest.mark.parametrize("head", ["retinanet", "two_stage"])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(make, head, tmp_path, monkeypatch):
    spec = make(head, {"batch_norm": "synced"})
    whole = run(spec, tmp_path / "whole", Silent())
    after = loop._after

    def stopped(attempt, state, call):
        if attempt.steps == 1:
            attempt.requests.signum = signal.SIGTERM
        after(attempt, state, call)

    monkeypatch.setattr(loop, "_after", stopped)
    with pytest.raises(Interrupted):
        run(spec, tmp_path / "parts", Silent())
    monkeypatch.setattr(loop, "_after", after)
    parts = run(spec, tmp_path / "parts", Silent())
    assert parts.metrics == whole.metrics and parts.steps == whole.steps == STEPS
    assert {"val_ap50", "test_ap50", "test_ap", "test_loss"} <= whole.metrics.keys()


def test_a_background_is_one_class_more(make):
    assert make_plan(make("ssd")).arch.num_classes == 3
    assert make_plan(make("efficientdet")).arch.num_classes == 2


def test_masks_that_nothing_teaches_are_refused(make):
    spec = make("two_stage")
    head = dataclasses.replace(HEADS["two_stage"], masks=MaskStage(2, (4,), 4))
    arch = spec.model.arch.replace(head=head)
    with pytest.raises(ValueError, match="draws masks"):
        make_plan(dataclasses.replace(spec, model=dataclasses.replace(spec.model, arch=arch)))


def test_a_head_that_gives_no_boxes_is_refused(make, tiny_arch):
    spec = dataclasses.replace(make(), model=dataclasses.replace(make().model, arch=tiny_arch))
    with pytest.raises(
        ValueError, match="does not train the Head of tiny: set config.model.head to 'retinanet'"
    ):
        make_plan(spec)
