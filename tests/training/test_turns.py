"""Two stages that learn in turns: each turn moves its own parameters alone, and counts what it computes."""

import signal

import jax
import numpy as np
import pytest

from scaling.arch.anchors import PixelAnchors
from scaling.arch.heads import HEADS
from scaling.arch.necks import Context, Fpn
from scaling.arch.region_heads import TwoStage
from scaling.arch.region_stages import BoxStage, LightHead
from scaling.cost.counting import count
from scaling.runs.spec import RunSpec
from scaling.training import Interrupted, loop, run
from scaling.training.packing import unpack_state
from scaling.training.phases import train_macs
from scaling.training.plan import make_plan
from scaling.training.progress import Silent
from scaling.training.runtime import Runtime

SECOND = "decoder/box/", "decoder/attention_"
FIRST = "decoder/rpn/"
LEARNS = (
    lambda path: not path.startswith(SECOND),
    lambda path: not path.startswith(FIRST),
    lambda path: path.startswith(FIRST),
    lambda path: path.startswith(SECOND),
)
STAGES = {
    "plain": TwoStage(
        Fpn(2, 1, 8, extra="pool"), PixelAnchors(scale=2.0, octaves=1), box=BoxStage(2, hidden=(8,)), proposals=12
    ),
    "thundernet": TwoStage(
        Context(), PixelAnchors(scale=2.0, octaves=1), separable=8, attention=True,
        box=LightHead(2, thin=2, kernel=1, hidden=(8,)), proposals=12,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def make(tiny_arch, boxes_dir):
    """Return a function: the head's name and changed sections -> the spec of a run in turns on rectangles."""

    def spec(head="plain", train=(), **sections):
        arch = tiny_arch.replace(head=STAGES.get(head) or HEADS[head], resolution=16, num_classes=2)
        config = {
            "task": "detection",
            "model": {"arch": arch.to_dict()},
            "data": {"source": "boxes", "dir": str(boxes_dir), "validation": "val"},
            "optimizer": {"name": "adamw", "lr": 0.01, "lr_batch": 0, "weight_decay": 0.1, "decay": "decoupled"},
            "schedule": {"name": "cosine"},
            "train": {
                "batch": 8, "duration": "8 steps", "devices": 1, "eval_batch": 4, "regions": 8, "alternate": True,
                "checkpoint_every": "1 steps", **dict(train),
            },
        }  # fmt: skip
        return RunSpec.from_config({**config, **sections})

    return spec


def leaves(tree) -> dict[str, np.ndarray]:
    flat = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {"/".join(key.key for key in keys): np.array(leaf) for keys, leaf in flat}


def moved(one, other) -> set[str]:
    before, after = leaves(one), leaves(other)
    return {path for path in before if not np.array_equal(before[path], after[path])}


@pytest.mark.parametrize("head", ["plain", pytest.param("thundernet", marks=pytest.mark.nightly)])
def test_each_turn_moves_its_own_parameters_and_statistics_alone(make, head):
    runtime = Runtime(make_plan(make(head)))
    state, rates = runtime.to_devices(runtime.first_state()), []
    batches = runtime.batches(0)
    for turn, learns in enumerate(LEARNS):
        before = unpack_state(jax.tree.map(np.array, runtime.engine.unreplicate(state)))
        for step in (2 * turn, 2 * turn + 1):
            program = runtime.program(runtime.plan.phase(step))
            state, metrics = program(state, next(batches), runtime.resident)
            rates.append(float(runtime.engine.unreplicate(metrics)["lr"][0]))
        after = runtime.to_host(state)
        assert moved(before.params, after.params) == {path for path in leaves(before.params) if learns(path)}
        assert all(learns(path) for path in moved(before.batch_stats, after.batch_stats))
    batches.close()
    assert rates[:2] * 4 == rates and rates[1] < rates[0], "a turn has the whole schedule"


def test_a_turn_counts_what_it_computes(make):
    plan = make_plan(make())
    layers = count(plan.arch, layers=True).layers
    part = lambda *starts: sum(layer.macs for layer in layers if layer.name.startswith(starts))
    whole, first, second = part(""), part(FIRST), part(*SECOND)
    shared = whole - first - second
    assert min(shared, first, second) > 0
    assert [phase.macs for phase in plan.phases] == [
        3 * (shared + first),
        3 * (shared + second) + first,
        shared + 3 * first,
        shared + first + 3 * second,
    ]
    assert [phase.start for phase in plan.phases] == [0, 2, 4, 6]
    frozen = make_plan(make(optimizer={"frozen": ["stem", *plan.arch.stage_names[1:]]}))
    assert frozen.phases[0].macs == plan.phases[0].macs - 2 * part("stem", "stages")
    assert make_plan(make(train={"alternate": False})).phases[0].macs == train_macs(plan.arch) == 3 * whole


def test_a_run_in_turns_resumes_to_the_same_bits(make, tmp_path, monkeypatch):
    spec, after = make(), loop._after
    whole = run(spec, tmp_path / "whole", Silent())

    def stopped(attempt, state, call):
        if attempt.steps == 5:
            attempt.requests.signum = signal.SIGTERM
        after(attempt, state, call)

    monkeypatch.setattr(loop, "_after", stopped)
    with pytest.raises(Interrupted):
        run(spec, tmp_path / "parts", Silent())
    monkeypatch.setattr(loop, "_after", after)
    parts = run(spec, tmp_path / "parts", Silent())
    assert (whole.status, parts.status, parts.steps) == ("ok", "ok", 8)
    assert parts.metrics == whole.metrics


@pytest.mark.parametrize(
    "head, changes, words",
    [
        ("retinanet", {}, "no part of tiny learns in turns"),
        ("plain", {"duration": "3 steps"}, "cuts 3 steps into 4 turns"),
        ("plain", {"progressive": [(0.5, 0.5)]}, "leave config.train.progressive empty"),
    ],
)
def test_what_has_no_turns_is_refused(make, head, changes, words):
    with pytest.raises(ValueError, match=words):
        make_plan(make(head, changes))
