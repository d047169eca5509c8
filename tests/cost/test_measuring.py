"""Measured cost: positive, growing with the batch, and a largest batch that really fits."""

import jax
import numpy as np
import pytest

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, MBConv
from scaling.arch.box_heads import RetinaNet
from scaling.arch.head import Head
from scaling.arch.necks import Fpn
from scaling.arch.stages import Stage
from scaling.cost import measuring
from scaling.cost.measuring import available_memory, device_memory, largest_batch, measure
from scaling.models.network import Network

TINY = Arch("tiny", "test", (), (Stage(Conv(3), 8),), Head(), resolution=8, num_classes=4, in_channels=1)


@pytest.mark.parametrize("mode", ["train", "inference"])
def test_a_step_takes_time_and_memory_that_grows_with_the_batch(mode):
    small, large = (measure(TINY, batch, mode, repeats=2) for batch in (4, 64))
    assert min(small.step_ms, small.compile_seconds, small.memory) > 0
    assert large.memory > small.memory
    assert large.images_per_second == pytest.approx(64 / (large.step_ms / 1e3))


def test_a_detector_s_step_reaches_all_that_it_returns():
    net = Network(TINY.replace(head=RetinaNet(Fpn(levels=2, width=8), repeats=1)))
    variables, images, labels = measuring._arguments(net, 4)
    stepped = jax.jit(measuring._train_step(net, 4))(variables, images, labels)["params"]["decoder"]
    for name in ("cls_logits", "bbox_regression"):
        before, after = (
            tree[name]["predict"]["kernel"] for tree in (variables["params"]["decoder"], stepped)
        )
        assert np.any(before != after), name


def test_the_largest_batch_fits_and_fills_the_memory():
    memory = 2_000_000
    batch = largest_batch(TINY, memory, within=0.1)
    assert 0.9 * memory <= measure(TINY, batch, repeats=1).memory <= memory


def test_no_batch_fits_in_no_memory():
    assert largest_batch(TINY, memory=1) == 0
    assert 2**20 < available_memory() <= device_memory()


def test_what_is_timed_computes_with_ordinary_numbers():
    net = Network(TINY.replace(activation="silu"))
    variables, images, labels = measuring._arguments(net, 16)
    assert len(np.unique(images)) > images.size / 2 and len(np.unique(labels)) > 1
    step = jax.jit(measuring._train_step(net, 16))
    for _ in range(20):
        variables = step(variables, images, labels)
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables):
        size = np.abs(leaf)
        assert np.all(np.isfinite(leaf)), path
        assert not np.any((size > 0) & (size < np.finfo(np.float32).tiny)), path


def test_a_group_with_little_memory_left_has_less_than_the_system(monkeypatch):
    told = {
        "/proc/meminfo": ["MemTotal: 9000 kB", "MemAvailable: 4000 kB"],
        "/sys/fs/cgroup/memory.max": ["max"],
        "/sys/fs/cgroup/memory.current": ["1000"],
    }
    monkeypatch.setattr(measuring, "_lines", lambda path: told.get(path, []))
    assert available_memory() == 4000 * 1024
    told["/sys/fs/cgroup/memory.max"] = ["3000"]
    assert available_memory() == 2000
    told.clear()
    assert available_memory() == device_memory()


@pytest.mark.nightly
def test_recomputing_saves_memory_stage_by_stage():
    block = MBConv(expand=2, se_ratio=0.0)
    deep = TINY.replace(stages=(Stage(block, 8, repeats=8), Stage(block, 8, repeats=8)), resolution=16)
    none, one, both = (
        measuring.compiled_memory(measuring._compile(Network(deep, remat=remat), 16, "train")[0])
        for remat in (False, (0,), True)
    )
    assert both < 0.9 * one < 0.8 * none


@pytest.mark.parametrize(("batch", "mode", "repeats"), [(0, "train", 1), (1, "training", 1), (1, "train", 0)])
def test_bad_arguments_are_refused(batch, mode, repeats):
    with pytest.raises(ValueError, match="must be"):
        measure(TINY, batch, mode, repeats=repeats)
