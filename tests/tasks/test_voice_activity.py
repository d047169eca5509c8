"""Voice activity: the metric of known scores, windows of streams, streams whose frames are told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.data.fsdd import BANDS, HOP, bands, mel_filters, mixed, open_fsdd, trimmed
from scaling.runs.spec import AugmentSpec, DataSpec
from scaling.tasks.roc import area_under_roc
from scaling.tasks.task import Inputs
from scaling.tasks.voice_activity import VOICE_ACTIVITY

NAMES = {"mean": (0.0,) * 2, "std": (1 / 255,) * 2}


def test_a_window_is_a_part_of_its_stream_with_its_own_truth():
    frames = np.arange(4 * 20 * 2, dtype=np.uint8).reshape(4, 20, 1, 2)
    voice = (frames[..., 0] // 2 % 3 == 0).astype(np.uint8)
    inputs = VOICE_ACTIVITY.train_inputs(Inputs(AugmentSpec(), 8, 2, **NAMES))
    made = jax.jit(inputs)({"image": frames, "mask": voice}, jax.vmap(jax.random.key)(jnp.arange(4)))
    image, mask = np.asarray(made["image"]).astype(int), np.asarray(made["mask"])
    assert image.shape == (4, 8, 1, 2) and len({one[0, 0, 0] % 40 for one in image}) > 1
    np.testing.assert_array_equal(mask, image[..., 0] // 2 % 3 == 0)
    assert np.all(np.diff(image[:, :, 0, 0]) == 2)


def test_an_equaliser_changes_what_a_microphone_would_and_not_the_truth():
    frames = np.full((64, 20, 1, 2), 100, np.uint8)
    fields = {"image": frames, "mask": frames[..., 0] % 3}
    keys = jax.vmap(jax.random.key)(jnp.arange(64))
    make = lambda gain: VOICE_ACTIVITY.train_inputs(Inputs(AugmentSpec(gain=gain), 8, 2, **NAMES))
    plain, heard = (jax.jit(make(gain))(fields, keys) for gain in (0.0, 6.0))
    moved = np.asarray(heard["image"] - plain["image"])[:, :, 0]
    assert np.abs(moved - moved[:, :1]).max() < 1e-4  # all frames alike
    # In half decibels, of both bands: the level, the tilt at its ends and the band's own
    assert moved.std() == pytest.approx(12 * np.sqrt(1 + 1 + 4 / 9), rel=0.25)
    np.testing.assert_array_equal(heard["mask"], plain["mask"])
    with pytest.raises(ValueError, match=r"augment\.gain=-1.0 must be at least 0 decibels"):
        make(-1.0)


def test_scores_that_say_the_truth_have_an_auc_of_1():
    mask = np.array([[[0], [1], [1]], [[0], [0], [1]]], np.uint8)
    spec, real = None, jnp.array([True, False])
    outputs, inputs = {"out": jnp.asarray(9.0 * mask[..., None] - 4)}, {"mask": jnp.asarray(mask)}
    sums = VOICE_ACTIVITY.sums(outputs, inputs, real, spec, None)
    assert sums["count"] == 1
    arrays = jax.tree.map(np.asarray, VOICE_ACTIVITY.gather(outputs, inputs, spec, None))
    found = VOICE_ACTIVITY.means({"count": 2, "loss": 0.1, **arrays})
    assert found["auc"] == found["right"] == 1


def test_augmentation_of_images_is_refused():
    with pytest.raises(ValueError, match=r"augment\.flip=True is of images, not of sequences"):
        VOICE_ACTIVITY.train_inputs(Inputs(AugmentSpec(flip=True), 8, 2, **NAMES))


def test_quiet_ends_of_a_recording_are_cut_off():
    clip = np.concatenate([np.full(3 * HOP, 0.01), np.ones(2 * HOP), np.zeros(HOP // 2)])
    np.testing.assert_array_equal(trimmed(clip), np.ones(2 * HOP))


def test_a_tone_is_in_its_band_and_a_frame_sees_nothing_later():
    filters = mel_filters()
    assert np.all(filters >= 0) and np.all(filters.sum(1) > 0) and filters.shape[0] == BANDS
    tone = np.sin(2 * np.pi * 1000 * np.arange(40 * HOP) / 8000)
    silent = np.where(np.arange(len(tone)) < 20 * HOP, tone, 0.0)
    whole, half = bands(tone), bands(silent)
    assert np.argmax(whole[10]) == np.argmax(filters[:, round(1000 / 8000 * 256)])
    np.testing.assert_array_equal(whole[:20], half[:20])
    assert np.any(whole[20] != half[20])


def test_streams_are_the_same_every_time_and_mark_the_digits(monkeypatch):
    monkeypatch.setitem(mixed.__globals__["SPLITS"], "test", (2, 0, (40.0, 40.0), False))
    rng = np.random.default_rng(1)
    clips = [np.round(9000 * np.sin(np.arange(4000) / 3)).astype(np.int16)]
    noises = [rng.normal(0, 100, 200_000).astype(np.int16)]
    one, other = (mixed("test", clips, noises) for _ in range(2))
    np.testing.assert_array_equal(one.images, other.images)
    loud = one.images[:, :, 0].astype(float).max(-1)
    assert area_under_roc(loud.ravel(), one.extra["mask"].ravel() > 0) > 0.97


@pytest.mark.nightly
def test_energy_tells_voice_as_well_as_in_the_literature_of_the_set(shared):
    """0.831 of the frames' whole energy; the mean over bands is a little better."""
    split = open_fsdd(DataSpec("fsdd", dir=str(shared / "data" / "tasks" / "fsdd_vad")), 0).read("test")
    energy = split.images[:, :, 0].astype(float).mean(-1)
    energy -= np.median(energy, 1, keepdims=True)
    truth = split.extra["mask"].ravel() > 0
    assert area_under_roc(energy.ravel(), truth) == pytest.approx(0.84, abs=0.03)
    assert truth.mean() == pytest.approx(0.31, abs=0.02)
