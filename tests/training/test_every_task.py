"""The laws of training hold for each task: devices, engines, micro-batches, resuming; all of it learns."""

import copy
import dataclasses
import functools
import signal

import jax
import numpy as np
import pytest
from jax import export
from PIL import Image

from scaling.arch.anchors import PixelAnchors
from scaling.arch.arch import Arch
from scaling.arch.blocks import Causal, Conv, Lstm
from scaling.arch.embedding_heads import Embedding
from scaling.arch.gan_heads import Adversarial
from scaling.arch.necks import Fpn
from scaling.arch.picture_heads import Reconstruction
from scaling.arch.region_heads import TwoStage
from scaling.arch.region_stages import BoxStage, MaskStage
from scaling.arch.stages import Stage
from scaling.data import fsdd
from scaling.runs.spec import RunSpec
from scaling.training import Interrupted, loop, run
from scaling.training.parallel import ENGINES
from scaling.training.plan import make_plan
from scaling.training.progress import Silent
from scaling.training.runtime import Runtime
from scaling.training.state import models

STEPS = 2
GREY = {"in_channels": 1, "num_classes": 1, "activation": "tanh"}
BODY = (Stage(Conv(), 4, repeats=2),)
BARE = (Stage(Conv(norm=False, bias=True), 4),)
NETWORKS = {
    "denoising": Arch(
        "denoiser", "tests", (Stage(Conv(), 4, stride=2),), BODY, Reconstruction(residual=True), 8, **GREY
    ),
    "super_resolution": Arch("enlarger", "tests", (), BARE, Reconstruction(factor=2), 4, **GREY),
    "triplet": Arch("pairs", "tests", (), BODY, Embedding(4, grid=2), 8),
    "arcface": Arch("classes", "tests", (), BARE, Embedding(4, classifies=True), 8),
    "voice_activity": Arch(
        "voice",
        "tests",
        (),
        (Stage(Causal(3, 2), 4, 2), Stage(Lstm(), 4)),
        Reconstruction(kernel=1),
        40,
        columns=1,
        in_channels=40,
    ),
    "generation": Arch(
        "adversaries",
        "tests",
        (Stage(Conv(norm=False, bias=True), 4, stride=2),),
        (Stage(Conv(), 4, stride=2),),
        Adversarial(3, (6, 4), grid=2),
        8,
        activation="leaky_relu",
    ),
    "instance_segmentation": Arch(
        "masks",
        "tests",
        (Stage(Conv(norm=False, bias=True), 4, stride=2),),
        (Stage(Conv(norm=False, bias=True), 4, stride=2),),
        TwoStage(
            Fpn(2, 1, 8, extra="pool"),
            PixelAnchors(scale=2.0, octaves=1),
            box=BoxStage(2, hidden=(8,)),
            masks=MaskStage(2, (4,), 4),
            proposals=12,
        ),
        16,
        num_classes=1,
    ),
    "softmax": Arch("classes", "tests", (), BARE, Embedding(4, classifies=True), 8),
}
FLIPPED, DIGITS = {"augment": {"flip": True}}, {"task": "embedding", "data": {"limit": 200}}
CHANGES = {
    # Its head begins at zero, so that the first step moves nothing else
    "denoising": {"augment": {"noise": 25.0, "flip": True}, "optimizer": {"lr": 1.0, "lr_batch": 0}},
    "super_resolution": FLIPPED,
    "triplet": {**DIGITS, "train": {"per_class": 2, "margin": 1.0}},
    "arcface": {**DIGITS, **FLIPPED, "train": {"embedding_loss": "arcface", "scale": 4.0}},
    "voice_activity": {"data": {"source": "fsdd", "validation": "validation"}},
    "generation": {"data": {"limit": 200}},
    "instance_segmentation": {
        "augment": {"crop": "resized", "area": [0.5, 1.0], "flip": True},
        "train": {"regions": 16},
    },
    "softmax": {**DIGITS, **FLIPPED, "train": {"embedding_loss": "softmax"}},
}
# Those without batch norm and losses of several examples: a batch of them may be cut into parts
SEPARABLE = ("super_resolution", "instance_segmentation")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Noisy slopes of several sizes as pictures, in a folder a split."""
    root, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 3), ("test", 3)):
        (root / split).mkdir()
        for i in range(count):
            height, width = rng.integers(18, 24, 2)
            pixels = (
                5 * np.arange(height)[:, None] + 4 * np.arange(width) + rng.integers(0, 30, (height, width))
            )
            Image.fromarray(pixels.astype(np.uint8)).save(root / split / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    """Bright rectangles, and masks that number them."""
    root, rng = tmp_path_factory.mktemp("numbered"), np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 3), ("test", 3)):
        for i in range(count):
            things = np.zeros((16, 16), np.uint8)
            for thing, (y, x) in enumerate(rng.integers(0, 10, (2, 2))):
                things[y : y + 6, x : x + 6] = thing + 1
            for name, pixels in (("images", np.where(things, 200, 30)), ("masks", things)):
                (root / split / name).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.astype(np.uint8)).save(root / split / name / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Tones and noise, of which streams of a second are mixed."""
    root, rng = tmp_path_factory.mktemp("sounds"), np.random.default_rng(0)
    clips = [1000 * np.sin(np.arange(800) * (0.3 + 0.05 * i)) for i in range(9)]
    offset = np.arange(10) * 800
    np.savez(
        root / "digits.npz", audio=np.concatenate(clips).astype(np.int16), offset=offset, index=np.arange(9)
    )
    noises = {name: rng.normal(0, 100, 20_000).astype(np.int16) for name in fsdd.NOISES}
    np.savez(root / "noise.npz", **noises)
    counts = {"train": 8, "validation": 3, "test": 3}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fsdd, "SECONDS", 1)
        patch.setattr(fsdd, "SPLITS", {name: (n, *fsdd.SPLITS[name][1:]) for name, n in counts.items()})
        yield root


@pytest.fixture(scope="module")
def make(folders, numbered, sounds):
    """Return a function: a task's name and fields of `train` -> the spec of a run of two steps."""

    def spec(task, **train):
        defaults = {"batch": 8, "duration": f"{STEPS} steps", "devices": 1, "eval_batch": 2}
        own = copy.deepcopy(CHANGES[task])
        if own.get("data", {}).get("source") == "fsdd":
            own["data"]["dir"] = str(sounds)
        root = numbered if task == "instance_segmentation" else folders
        told = {"batch_norm": "synced", "pictures": False, **own.pop("train", {}), **train}
        config = {
            "task": task,
            "model": {"arch": NETWORKS[task].to_dict()},
            "data": {"source": "folder", "dir": str(root), "validation": "val"},
            "optimizer": {"lr": 0.01, "lr_batch": 0},
            "train": {**defaults, **told},
        }
        return RunSpec.from_config({**config, **own})

    return spec


@pytest.fixture(scope="module")
def trained(make):
    """Return a function that makes two steps: first and last host state, metrics, scores."""

    @functools.cache
    def train(task, **fields):
        runtime = Runtime(make_plan(make(task, **fields)))
        first = runtime.first_state()
        state, metrics = runtime.to_devices(first), []
        batches = runtime.batches(0)
        for call in runtime.plan.calls(0):
            program = runtime.program(runtime.plan.phase(call.start))
            state, found = program(state, next(batches), runtime.resident)
            metrics.append(runtime.engine.unreplicate(found))
        batches.close()
        scores = runtime.evaluate(models(state), runtime.plan.dataset.validation)["raw"]
        return first, runtime.to_host(state), metrics, scores

    return train


def alike(one, other, assert_equal):
    assert_equal(one[1:3], other[1:3], rtol=2e-4, atol=2e-5)
    assert one[3] == pytest.approx(other[3], rel=1e-3, abs=1e-4)


@pytest.mark.representatives(0, night=6)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("task", NETWORKS)
def test_devices_and_engines_train_and_score_alike(trained, assert_equal, task, engine):
    alike(trained(task), trained(task, engine=engine, devices=2), assert_equal)


@pytest.mark.nightly
@pytest.mark.parametrize("task", SEPARABLE)
def test_micro_batches_make_one_batch(trained, assert_equal, task):
    alike(trained(task), trained(task, accumulate=4), assert_equal)


@pytest.mark.representatives("super_resolution")
@pytest.mark.parametrize("task", NETWORKS)
def test_every_parameter_learns_and_the_metric_is_there(trained, make, task):
    first, last, _, scores = trained(task)
    changed = jax.tree.map(lambda a, b: bool(np.any(a != b)), first.params, last.params)
    assert all(jax.tree.leaves(changed)), changed
    assert {make_plan(make(task)).task.metric.name, "loss"} <= scores.keys()
    assert all(np.isfinite(value) for value in scores.values())


@pytest.mark.representatives(0, night=3)
@pytest.mark.parametrize("task", NETWORKS)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(make, task, tmp_path, monkeypatch):
    spec = make(task, pictures=True)
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
    metric = make_plan(spec).task.metric.name
    assert {f"val_{metric}", f"test_{metric}", "test_loss"} <= whole.metrics.keys()


@pytest.mark.nightly
@pytest.mark.parametrize("platform, backend", [("cpu", "cpu"), ("cuda", "gpu"), ("tpu", "tpu")])
@pytest.mark.parametrize("task", NETWORKS)
def test_its_steps_lower_for_every_platform(make, task, platform, backend, monkeypatch):
    lowered = []

    def compile(self, function, arguments, cut, donate):
        mapped = self.mapped(function, arguments, cut, donate)
        program = export.export(jax.jit(lambda *a: mapped(*a)), platforms=[platform])
        lowered.append(program(*arguments))

    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    monkeypatch.setattr(ENGINES["jit"], "compile", compile)
    Runtime(make_plan(make(task, engine="jit", devices=2))).compile()
    assert [program.platforms for program in lowered] == [(platform,)] * 2


def test_a_head_that_answers_otherwise_is_refused(make, tiny_arch):
    spec = make("denoising")
    spec = dataclasses.replace(spec, model=dataclasses.replace(spec.model, arch=tiny_arch))
    with pytest.raises(
        ValueError, match="does not train the Head of tiny: set config.model.head to 'denoising'"
    ):
        make_plan(spec)


def test_masks_are_learnt_by_a_head_that_draws_them_and_a_sure_score_is_a_share(make):
    spec, arch = make("instance_segmentation"), NETWORKS["instance_segmentation"]
    boxes_only = arch.replace(head=dataclasses.replace(arch.head, masks=None))
    with pytest.raises(ValueError, match="draws no masks, .* set config.model.head='maskrcnn'"):
        make_plan(dataclasses.replace(spec, model=dataclasses.replace(spec.model, arch=boxes_only)))
    with pytest.raises(ValueError, match=r"sure_score=1.0 must be in \[0, 1\)"):
        make_plan(make("instance_segmentation", sure_score=1.0))
