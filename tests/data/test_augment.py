"""Augmentation is pure, per example and bounded; switched off it is the identity."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.data import load
from scaling.data.augment import (
    beta,
    erase,
    eval_transform,
    mix,
    padded_crop,
    random_resized_crop,
    train_transform,
)
from scaling.data.resize import resize
from scaling.runs.spec import AugmentSpec, DataSpec

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
RAW = ((0.0,) * 3, (1 / 255,) * 3)  # mean and std that leave pixels in [0, 255]
EVERYTHING = AugmentSpec(crop="resized", flip=True, randaugment_layers=2, erase=0.5, mixup=0.4, cutmix=1.0)
SETTINGS = {
    "plain": AugmentSpec(),
    "pad": AugmentSpec(crop="pad", flip=True),
    "resized": AugmentSpec(crop="resized"),
    "randaugment": AugmentSpec(randaugment_layers=2),
    "autoaugment": AugmentSpec(autoaugment="v0"),
    "erase": AugmentSpec(erase=1.0),
    "mixup": AugmentSpec(mixup=0.4),
    "cutmix": AugmentSpec(cutmix=1.0),
    "everything": EVERYTHING,
}


def noise(count=8, side=24, channels=3):
    values = np.random.default_rng(9).integers(0, 256, (count, side, side, channels), np.uint8)
    return jnp.asarray(values)


def draws(*shape):
    return jnp.asarray(np.random.default_rng(0).random(shape, np.float32))


def keys(count=8, seed=0):
    return jax.random.split(jax.random.key(seed), count)


mix_jit = jax.jit(mix, static_argnames=("mixup", "cutmix"))


LABELS = jnp.arange(8) % 5


@pytest.fixture(params=SETTINGS.values(), ids=SETTINGS.keys())
def augment(request) -> AugmentSpec:
    return request.param


@functools.cache
def compiled(augment: AugmentSpec):
    return jax.jit(train_transform(augment, 16, 5, MEAN, STD))


def run(augment, seed=0):
    return compiled(augment)(noise(), LABELS, keys(seed=seed))


@pytest.mark.representatives(3)
def test_shapes_and_types_hold_for_every_setting_side_and_channel_count(augment):
    for side, resolution, channels in ((24, 16, 3), (8, 8, 1)):
        mean, std = (0.5,) * channels, (0.2,) * channels
        transform = train_transform(augment, resolution, 5, mean, std)
        x, targets = jax.eval_shape(transform, noise(8, side, channels), LABELS, keys())
        assert (x.shape, x.dtype) == ((8, resolution, resolution, channels), jnp.float32)
        assert (targets.shape, targets.dtype) == ((8, 5), jnp.float32)
        seen = jax.eval_shape(eval_transform(augment, resolution, mean, std), noise(8, side, channels))
        assert (seen.shape, seen.dtype) == (x.shape, x.dtype)


@pytest.mark.representatives("everything")
def test_an_example_does_not_depend_on_its_place_in_the_batch(augment):
    """With its pair mate, which mixup needs, but without regard to the others."""
    moved = compiled(augment)(*(jnp.roll(a, 2, axis=0) for a in (noise(), LABELS, keys())))
    for one, other in zip(moved, run(augment)):
        np.testing.assert_allclose(one, jnp.roll(other, 2, axis=0), atol=2e-5)


def test_a_batch_equals_its_pairs_one_at_a_time():
    """As when four devices hold one pair each."""
    parts = [
        compiled(EVERYTHING)(noise()[i : i + 2], LABELS[i : i + 2], keys()[i : i + 2]) for i in range(0, 8, 2)
    ]
    for one, many in zip(run(EVERYTHING), zip(*parts)):
        np.testing.assert_allclose(one, np.concatenate(many), atol=2e-5)


@pytest.mark.representatives("plain", "pad", "resized", "everything")
def test_a_key_fixes_the_result_and_another_changes_it(augment):
    first, again, other = (run(augment, seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert augment == AugmentSpec() or not np.array_equal(first, other)


@pytest.mark.representatives("plain", "pad", "resized", "everything")
def test_targets_sum_to_one_and_are_one_hot_without_mixing(augment):
    _, targets = run(augment)
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
    assert targets.min() >= 0
    if not augment.mixup and not augment.cutmix:
        np.testing.assert_array_equal(targets, jax.nn.one_hot(LABELS, 5))


@pytest.mark.representatives("plain", "pad", "resized", "everything")
def test_pixels_stay_in_range(augment):
    x, _ = run(augment)
    pixels = np.asarray(x) * STD + MEAN
    assert pixels.min() >= -1e-5 and pixels.max() <= 1 + 1e-5


def test_switching_an_operation_on_leaves_the_draws_of_the_others():
    """Erased to the mean, an image differs only inside the rectangle."""
    with_erasing = run(dataclasses.replace(AugmentSpec(crop="pad", flip=True), erase=1.0))[0]
    without = run(AugmentSpec(crop="pad", flip=True))[0]
    assert ((with_erasing == without) | (with_erasing == 0)).all()
    assert not np.array_equal(with_erasing, without)


def test_nothing_switched_on_is_normalisation_alone():
    x, _ = train_transform(AugmentSpec(), 24, 5, MEAN, STD)(noise(), LABELS, keys())
    np.testing.assert_allclose(x, (np.asarray(noise()) / 255.0 - MEAN) / STD, atol=1e-5)
    np.testing.assert_array_equal(x, eval_transform(AugmentSpec(), 24, MEAN, STD)(noise()))


def test_the_training_split_is_normalised_to_zero_mean_and_unit_std():
    data = load(DataSpec(), AugmentSpec(), 8)
    x = np.asarray(eval_transform(AugmentSpec(), 8, data.mean, data.std)(data.train.images), np.float64)
    assert abs(x.mean()) < 1e-5 and abs(x.std() - 1) < 1e-5


@pytest.mark.parametrize("target", [7, 12, 24, 40])
def test_resizing_equals_jax_image_resize(target):
    expected = jax.image.resize(noise().astype(jnp.float32), (8, target, target, 3), "linear", antialias=True)
    np.testing.assert_allclose(resize(noise(), target), expected, atol=2e-3)


@pytest.mark.parametrize("resolution", [12, 24, 30])
def test_a_resized_crop_of_the_whole_image_is_a_plain_resize(resolution):
    whole = jax.jit(lambda x, u: random_resized_crop(x, u, (1.0, 1.0), (1.0, 1.0), resolution))
    cropped = whole(noise()[0], draws(22))
    np.testing.assert_allclose(cropped, resize(noise()[:1], resolution)[0], atol=1e-3)


def test_a_resized_crop_shows_a_box_of_the_asked_area_and_aspect():
    """On a ramp the range of the values along each axis is the box's extent."""
    ramp = jnp.stack(jnp.meshgrid(jnp.arange(100.0), jnp.arange(100.0)), axis=-1)
    crop = jax.jit(jax.vmap(lambda u: random_resized_crop(ramp, u, (0.2, 0.4), (0.5, 2.0), 50)))
    found = np.asarray(crop(draws(200, 22)))
    width = np.ptp(found[..., 0], axis=(1, 2)) * 50 / 49
    height = np.ptp(found[..., 1], axis=(1, 2)) * 50 / 49
    area, aspect = width * height / 1e4, width / height
    assert 0.19 < area.min() < 0.23 and 0.37 < area.max() < 0.41
    assert 0.45 < aspect.min() < 0.6 and 1.7 < aspect.max() < 2.1


def test_a_padded_crop_shifts_by_at_most_the_padding():
    image = noise()[0].astype(jnp.float32) + 1
    padded = np.pad(image, ((3, 3), (3, 3), (0, 0)))
    shifts = {(y, x): padded[y : y + 24, x : x + 24] for y in range(7) for x in range(7)}
    found = set()
    for crop in jax.jit(jax.vmap(lambda u: padded_crop(image, u, 3)))(draws(60, 2)):
        found |= {place for place, expected in shifts.items() if np.array_equal(crop, expected)}
    assert len(found) > 25
    np.testing.assert_array_equal(padded_crop(image, draws(2), 0), image)


def test_a_reflected_crop_shows_the_image_mirrored_at_its_border():
    image = noise()[0].astype(jnp.float32)
    corner = padded_crop(image, jnp.zeros(2), 3, "reflect")
    np.testing.assert_array_equal(corner[:4, :4], image[:4, :4][::-1, ::-1])
    np.testing.assert_array_equal(corner[3:, 3:], image[:-3, :-3])
    spec = AugmentSpec(crop="pad", pad=3, pad_mode="reflect")
    x_nhwc, _ = train_transform(spec, 24, 5, *RAW)(
        noise() // 2 + 100, jnp.zeros(len(noise()), int), keys(len(noise()))
    )
    assert x_nhwc.min() >= 100, "no black border"


def test_flipping_mirrors_about_half_of_the_images_and_twice_is_the_identity():
    images = jnp.tile(noise()[:1], (200, 1, 1, 1))
    transform = jax.jit(train_transform(AugmentSpec(flip=True), 24, 5, *RAW))
    once, _ = transform(images, jnp.zeros(200, int), keys(200))
    once, images = np.asarray(once), np.asarray(images)
    mirrored = np.array([np.array_equal(x, images[0, :, ::-1]) for x in once])
    straight = np.array([np.array_equal(x, images[0]) for x in once])
    assert (mirrored ^ straight).all() and 60 < mirrored.sum() < 140
    twice, _ = transform(once.astype(jnp.uint8), jnp.zeros(200, int), keys(200))
    np.testing.assert_array_equal(twice, images)


def test_erasing_sets_one_rectangle_to_the_mean():
    x_hwc = jnp.ones((40, 40, 3))
    np.testing.assert_array_equal(erase(x_hwc, draws(5), 0.0), x_hwc)
    for erased in jax.jit(jax.vmap(lambda u: erase(x_hwc, u, 1.0)))(draws(30, 5)):
        hit = np.asarray(erased)[..., 0] == 0
        rows, columns = np.flatnonzero(hit.any(axis=1)), np.flatnonzero(hit.any(axis=0))
        assert hit.sum() == len(rows) * len(columns) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        assert 0.01 < hit.mean() < 0.37


def test_mixing_turned_off_is_the_identity():
    x, targets = noise().astype(jnp.float32), jax.nn.one_hot(LABELS, 5)
    for result, expected in zip(mix_jit(x, targets, draws(8, 5), mixup=0.0, cutmix=0.0), (x, targets)):
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("mixup, cutmix", [(0.4, 0.0), (0.0, 1.0), (0.8, 0.8)])
def test_each_image_keeps_the_share_that_its_target_says(mixup, cutmix):
    """Image i is filled with i, so the mean of a mixed image tells how much of its neighbour it holds."""
    x = jnp.arange(8.0)[:, None, None, None] * jnp.ones((8, 16, 16, 1))
    targets = jnp.eye(8)
    mixed, mixed_targets = mix_jit(x, targets, draws(8, 5), mixup=mixup, cutmix=cutmix)
    shares = mixed_targets @ jnp.arange(8.0)
    np.testing.assert_allclose(mixed.mean(axis=(1, 2, 3)), shares, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(mixed[0::2] + mixed[1::2], x[0::2] + x[1::2], atol=1e-5)
    assert float(jnp.abs(mixed_targets - targets).max()) > 0.05


def test_where_both_are_on_a_pair_gets_mixup_or_cutmix():
    x = jnp.tile(jnp.array([0.0, 1.0])[:, None, None, None], (40, 16, 16, 1))
    mixed, _ = mix_jit(x, jnp.tile(jnp.eye(2), (40, 1)), draws(80, 5), mixup=1.0, cutmix=1.0)
    mixed = np.asarray(mixed)
    cut = ((mixed == 0) | (mixed == 1)).all(axis=(1, 2, 3))
    blended = (mixed == mixed[:, :1, :1]).all(axis=(1, 2, 3))
    assert (cut | blended).all() and 20 < cut.sum() < 65


@pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0, 2.5])
def test_the_beta_table_holds_the_quantiles(alpha):
    from scipy.stats import beta as exact

    u = np.linspace(0.001, 0.999, 999)
    np.testing.assert_allclose(beta(jnp.asarray(u), alpha), exact(alpha, alpha).ppf(u), atol=5e-4)


def test_mixing_an_odd_batch_is_refused():
    with pytest.raises(ValueError, match="3 images reach one device"):
        mix(noise()[:3], jnp.eye(3), draws(3, 5), 0.2, 0.0)


def test_evaluation_takes_the_centre():
    x = eval_transform(AugmentSpec(eval_crop=0.75), 18, *RAW)(noise())
    np.testing.assert_allclose(x, noise()[:, 3:21, 3:21], atol=1e-3)


@pytest.mark.parametrize(
    "change",
    [{"eval_crop": 0.0}, {"area": (0.5, 0.2)}, {"aspect": (0.0, 1.0)}, {"pad": -1}, {"randaugment_layers": -1},
     {"randaugment_magnitude": 11.0}, {"erase": 2.0}, {"mixup": -1.0}, {"cutmix": -1.0}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_a_setting_out_of_range_is_named(change):
    for build in (lambda a: train_transform(a, 8, 5, MEAN, STD), lambda a: eval_transform(a, 8, MEAN, STD)):
        with pytest.raises(ValueError, match=f"augment.{next(iter(change))}="):
            build(AugmentSpec(**change))
