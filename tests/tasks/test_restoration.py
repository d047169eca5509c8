"""Tasks that restore pictures: PSNR of known errors, noise that stays, windows that are parts of pictures."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scaling
from scaling.data.pictures import luminance, open_pictures
from scaling.runs.spec import AugmentSpec, DataSpec
from scaling.tasks import restoration
from scaling.tasks.canvas import bicubic, part, weights
from scaling.tasks.denoising import DENOISING
from scaling.tasks.super_resolution import SUPER_RESOLUTION
from scaling.tasks.task import Inputs

NOISY = AugmentSpec(noise=25.0)
ENLARGING = scaling.get("espcn_x3")


def canvases(*sizes: tuple[int, int], side: int = 24) -> dict:
    """Random pictures of these sizes on canvases, as a split has them."""
    rng, images = np.random.default_rng(0), np.zeros((len(sizes), side, side, 1), np.uint8)
    for image, (height, width) in zip(images, sizes):
        image[:height, :width] = rng.integers(0, 256, (height, width, 1))
    place = np.arange(len(sizes), dtype=np.int32)
    return {"image": images, "size": np.array(sizes, np.int32), "position": place}


def made_of(task, augment: AugmentSpec, fields: dict, resolution: int = 8) -> dict:
    inputs = task.eval_inputs(Inputs(augment, resolution, 1, (0.5,), (0.5,), ENLARGING))
    return jax.tree.map(np.asarray, jax.jit(inputs)(fields))


def scores(out, made: dict, real=None) -> dict:
    real = np.ones(len(out), bool) if real is None else np.array(real)
    summed = summed_of(
        {name: made[name] for name in ("image", "target", "size", "position")}, out, real, int(made["shaved"])
    )
    return restoration.means(jax.tree.map(np.asarray, summed))


@functools.partial(jax.jit, static_argnums=3)
def summed_of(made, out, real, shaved):
    return restoration.sums({"out": out}, {**made, "shaved": shaved}, real, None, None)


@pytest.mark.parametrize("off", [1, 25])
def test_the_psnr_of_a_known_error(off):
    made = made_of(DENOISING, NOISY, canvases((20, 24), (24, 12), (7, 9)))
    target = np.clip(made["target"], 0.2, 0.8)
    found = scores(target + off / 255, {**made, "target": target})
    assert found["psnr"] == pytest.approx(20 * math.log10(255 / off), abs=1e-3)
    assert found["psnr_margin"] == pytest.approx(0, abs=1e-3)
    assert 1 - restoration.PSNR.fraction(found["psnr"]) == pytest.approx(off / 255, rel=1e-4)


def test_what_lies_outside_of_a_picture_and_what_fills_a_batch_count_nothing():
    made = made_of(DENOISING, NOISY, canvases((20, 24), (9, 12), (0, 0)))
    wrong = made["target"] + 0.1
    outside = np.array(wrong)
    outside[1, 9:], outside[1, :, 12:] = 7.0, 7.0
    real = [True, True, False]
    assert scores(wrong, made, real) == scores(outside, made, real)
    assert scores(wrong, made, real)["psnr"] > scores(wrong - 0.3, made, real)["psnr"]


def test_a_picture_has_the_same_noise_in_every_evaluation():
    fields = canvases((20, 24), (24, 12), (24, 24))
    whole = made_of(DENOISING, NOISY, fields)
    last = made_of(DENOISING, NOISY, {name: array[2:] for name, array in fields.items()})
    np.testing.assert_array_equal(whole["image"][2:], last["image"])
    noise = 255 * (whole["image"] - whole["target"])
    assert not np.allclose(noise[0], noise[1]) and np.std(noise) == pytest.approx(25, rel=0.1)


def test_training_takes_windows_and_noise_of_their_own():
    fields = jax.tree.map(jnp.asarray, canvases((20, 24), (20, 24), (20, 24), side=24))
    keys = jax.vmap(jax.random.key)(jnp.arange(3))
    inputs = DENOISING.train_inputs(Inputs(NOISY, 8, 1, (0.5,), (0.5,)))
    made = jax.tree.map(np.asarray, jax.jit(inputs)(fields, keys))
    for clean, picture in zip(np.round(255 * made["target"]), np.asarray(fields["image"], int)):
        parts = np.lib.stride_tricks.sliding_window_view(picture[:20, :, 0], (8, 8))
        assert np.any(np.all(parts == clean[..., 0], (2, 3)))
    noise = 255 * (made["image"] - made["target"])
    assert not np.allclose(noise[0], noise[1]) and np.std(noise) == pytest.approx(25, rel=0.2)


def test_pixels_are_mirrored_beyond_the_edges():
    row = np.arange(5.0)[None, :, None].repeat(2, 0)
    shown = part(row, jnp.array([2, 3]), jnp.array([0, -2]), (1, 8))
    assert np.ravel(shown).tolist() == [1, 0, 0, 1, 2, 2, 1, 0]


def test_bicubic_resizing_keeps_constants_and_slopes():
    for side, wanted in ((36, 12), (12, 36), (20, 10)):
        matrix, inner = weights(side, wanted), slice(wanted // 4, -(wanted // 4))
        np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-6)
        expected = (np.arange(wanted) + 0.5) * side / wanted - 0.5
        np.testing.assert_allclose((matrix @ np.arange(side))[inner], expected[inner], atol=1e-5)


def test_small_windows_are_those_of_the_whole_picture():
    """A training window is made small as the picture around it would be."""
    fields = canvases((66, 66), side=66)
    inputs = SUPER_RESOLUTION.train_inputs(Inputs(AugmentSpec(), 6, 1, (0.5,), (0.5,), ENLARGING))
    made = jax.jit(inputs)(fields, jax.vmap(jax.random.key)(jnp.arange(1)))
    window, picture = np.asarray(made["target"])[0, ..., 0], fields["image"][0, ..., 0] / 255
    parts = np.lib.stride_tricks.sliding_window_view(picture, window.shape)
    (row,), (column,) = np.nonzero(np.all(np.isclose(parts, window, atol=1e-6), (2, 3)))
    shifted = picture[row % 3 :, column % 3 :]
    shifted = shifted[: len(shifted) // 3 * 3, : shifted.shape[1] // 3 * 3]
    sides = len(shifted) // 3, shifted.shape[1] // 3
    small = np.asarray(bicubic(jnp.asarray(shifted[None, ..., None], jnp.float32), sides))[0]
    at = small[row // 3 :, column // 3 :][:6, :6]
    np.testing.assert_allclose(np.asarray(made["image"])[0], at, atol=1e-5)


@pytest.mark.parametrize("change", [{"mixup": 0.2}, {"crop": "resized"}, {"eval_crop": 0.9}])
def test_what_changes_pictures_otherwise_is_refused(change):
    (name,) = change
    with pytest.raises(ValueError, match=rf"augment\.{name}=.*no meaning for pictures"):
        DENOISING.train_inputs(Inputs(AugmentSpec(noise=5.0, **change), 8, 1, (0.5,), (0.5,)))


def test_without_noise_or_a_factor_there_is_nothing_to_learn():
    with pytest.raises(ValueError, match=r"augment\.noise=0.0 leaves nothing"):
        DENOISING.eval_inputs(Inputs(AugmentSpec(), 8, 1, (0.5,), (0.5,)))
    with pytest.raises(ValueError, match="factor 1 enlarges nothing: set config.model.head to 'picture_x2'"):
        SUPER_RESOLUTION.eval_inputs(Inputs(AugmentSpec(), 8, 1, (0.5,), (0.5,), scaling.get("dncnn")))


def test_grey_pictures_stay_and_colours_become_luminance():
    grey = np.random.default_rng(0).integers(0, 256, (4, 4, 1), np.uint8).repeat(3, -1)
    np.testing.assert_array_equal(luminance(grey), grey[..., 0])
    colours = np.array([[[255, 255, 254], [0, 0, 1], [255, 0, 0]]], np.uint8)
    assert luminance(colours).tolist() == [[235, 16, 81]]


@pytest.mark.nightly
def test_noise_and_bicubic_resizing_score_what_the_literature_says(shared):
    """The noisy BSD68 has 20.17 dB at sigma 25, bicubic enlargement of Set5 by 3 has 30.39 dB."""
    root = shared / "data" / "tasks"
    split = open_pictures(DataSpec("folder", dir=str(root / "bsd_denoise"), train="train400"), 0).read(
        "bsd68[:6]"
    )
    made = made_of(DENOISING, NOISY, {**split.fields, "position": np.arange(6)})
    off = [
        np.mean(np.square((image - target)[:height, :width]))
        for image, target, (height, width) in zip(made["image"], made["target"], split.extra["size"])
    ]
    assert np.mean(restoration.psnr(np.array(off))) == pytest.approx(20.17, abs=0.02)
    split = open_pictures(DataSpec("folder", dir=str(root / "sr_set5"), train="t91"), 0).read("set5")
    made = made_of(SUPER_RESOLUTION, AugmentSpec(), {**split.fields, "position": np.arange(5)})
    enlarged = bicubic(made["image"], made["target"].shape[1:3])
    assert scores(np.round(255 * enlarged) / 255, made)["psnr"] == pytest.approx(30.39, abs=0.01)
