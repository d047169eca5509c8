"""Measured cost: positive, growing with the batch, and a largest batch that really fits."""

import pytest

from scaling.arch import Arch, Conv, Head, Stage
from scaling.measuring import device_memory, largest_batch, measure

TINY = Arch("tiny", "test", (), (Stage(Conv(3), 8),), Head(), resolution=8, num_classes=4, in_channels=1)


@pytest.mark.parametrize("mode", ["train", "inference"])
def test_a_step_takes_time_and_memory_that_grows_with_the_batch(mode):
    small, large = (measure(TINY, batch, mode, repeats=2) for batch in (4, 64))
    assert min(small.step_ms, small.compile_seconds, small.memory) > 0
    assert large.memory > small.memory
    assert large.images_per_second == pytest.approx(64 / (large.step_ms / 1e3))


def test_the_largest_batch_fits_and_fills_the_memory():
    memory = 2_000_000
    batch = largest_batch(TINY, memory, within=0.1)
    assert 0.9 * memory <= measure(TINY, batch, repeats=1).memory <= memory


def test_no_batch_fits_in_no_memory():
    assert largest_batch(TINY, memory=1) == 0
    assert device_memory() > 2**20


@pytest.mark.parametrize(("batch", "mode", "repeats"), [(0, "train", 1), (1, "training", 1), (1, "train", 0)])
def test_bad_arguments_are_refused(batch, mode, repeats):
    with pytest.raises(ValueError, match="must be"):
        measure(TINY, batch, mode, repeats=repeats)
