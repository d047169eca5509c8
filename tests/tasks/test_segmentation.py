"""Metrics of segmentation follow from their definitions, void counts for nothing, masks move with images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from scaling.data.augment import draws_of, train_images
from scaling.data.masks import VOID
from scaling.data.placement import move_mask, placement
from scaling.runs.spec import AugmentSpec, TrainSpec
from scaling.tasks.intervals import GROUPS
from scaling.tasks.segmentation import SEGMENTATION, of_confusion
from scaling.tasks.task import Inputs

RAW = (0.0,), (1 / 255,)  # mean and deviation that leave pixels as they are


def test_metrics_of_a_confusion_by_hand():
    found = of_confusion(np.array([[50, 10, 0], [5, 20, 5], [0, 0, 10]]))
    assert found["pa"] == pytest.approx(80 / 100)
    assert found["mpa"] == pytest.approx(np.mean([50 / 60, 20 / 30, 10 / 10]))
    assert found["miou"] == pytest.approx(np.mean([50 / 65, 20 / 40, 10 / 15]))


def test_predicting_background_alone_is_accurate_and_worthless():
    found = of_confusion(np.array([[95, 0], [5, 0]]))
    assert found["pa"] == 0.95 and found["mpa"] == 0.5 and found["miou"] == pytest.approx(0.475)


def test_metrics_have_intervals_over_images():
    groups = np.zeros((GROUPS, 2, 2), int)
    groups[:3] = [[[50, 10], [5, 35]], [[40, 20], [0, 40]], [[60, 0], [10, 30]]]
    found = SEGMENTATION.means({"confusion": groups, "count": 3, "loss": 3.0})
    assert set(found) == {
        "loss",
        *(f"{name}{end}" for name in ("miou", "pa", "mpa") for end in ("", "_margin")),
    }
    scores = [np.trace(group) / 100 for group in groups[:3]]
    classical = stats.sem(scores) * stats.t.ppf(0.975, 2)  # of images of as many pixels, PA is the mean
    assert found["pa_margin"] == pytest.approx(classical, rel=1e-4)


def test_a_class_that_never_occurs_is_left_out():
    assert of_confusion(np.array([[4, 0, 0], [0, 6, 0], [0, 0, 0]]))["miou"] == 1.0


@pytest.fixture(scope="module")
def scored():
    """Scores (3, 6, 6, 4), and masks (3, 6, 6) with some void pixels and one image of void alone."""
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 4, (3, 6, 6), np.uint8)
    masks[rng.random(masks.shape) < 0.2] = VOID
    masks[2] = VOID
    return rng.normal(size=(3, 6, 6, 4)).astype(np.float32), masks


def test_sums_are_numpys_over_pixels_that_count(scored):
    scores, masks = scored
    real = np.array([True, True, False])
    inputs = {"mask": jnp.asarray(masks), "position": jnp.arange(3)}
    found = jax.jit(SEGMENTATION.sums)({"out": jnp.asarray(scores)}, inputs, jnp.asarray(real))
    expected = np.zeros((4, 4), int)
    for truth, predicted in zip(masks[:2].ravel(), scores[:2].argmax(-1).ravel()):
        if truth != VOID:
            expected[truth, predicted] += 1
    np.testing.assert_array_equal(found["confusion"].sum(0), expected)
    assert found["count"] == 2 and not found["confusion"][2:].any()


def test_the_loss_is_the_mean_of_the_images_means(scored):
    scores, masks = scored
    logs = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    each = [
        -np.mean([logs[i, y, x, masks[i, y, x]] for y, x in np.argwhere(masks[i] != VOID)]) for i in range(2)
    ]
    inputs = {"image": jnp.asarray(scores), "mask": jnp.asarray(masks)}
    loss, _, _ = SEGMENTATION.loss(lambda x: ({"out": x}, {}), inputs, TrainSpec())
    np.testing.assert_allclose(loss, np.sum(each) / 3, 1e-5)


def test_scores_of_another_size_are_resized_to_the_mask():
    scores = jnp.asarray(np.eye(2, dtype=np.float32)[[0, 1]]).reshape(1, 1, 2, 2)
    masks = jnp.asarray([[[0, 0, 1, 1]] * 4], jnp.uint8)
    found = jax.jit(SEGMENTATION.sums)(
        {"out": scores}, {"mask": masks, "position": jnp.array([1])}, jnp.array([True])
    )
    np.testing.assert_array_equal(found["confusion"][1], [[8, 0], [0, 8]])


@pytest.mark.parametrize("crop", ["none", "pad", "resized"])
def test_a_mask_moves_with_its_image(crop):
    """Of an image that shows its own mask in squares, only pixels at edges of squares may differ."""
    augment = AugmentSpec(crop=crop, pad=6, flip=True, area=(0.5, 1.0))
    rng = np.random.default_rng(1)
    masks = np.kron(rng.integers(1, 5, (6, 4, 4)), np.ones((8, 8))).astype(np.uint8)
    draws = draws_of(augment, jax.vmap(jax.random.key)(jnp.arange(6)))
    images = train_images(augment, 32, *RAW)(jnp.asarray(masks[..., None] * 50), draws)
    moved = jax.vmap(lambda mask, d: move_mask(mask, placement(d, augment, 32), 32))(
        jnp.asarray(masks), draws
    )
    shown, moved = np.asarray(images[..., 0]) / 50, np.asarray(moved)
    inside = moved != VOID
    assert crop == "pad" or inside.all()
    np.testing.assert_array_equal(shown[~inside], 0)
    agree = np.abs(shown - moved)[inside] < 0.01
    assert np.mean(agree) > (0.7 if crop == "resized" else 0.999)
    nearest = np.round(shown)
    assert np.mean(nearest[inside] == moved[inside]) > 0.9


@pytest.mark.parametrize(
    "augment, told",
    [
        ({"mixup": 0.2}, "without their masks"),
        ({"cutmix": 1.0}, "without"),
        ({"randaugment_layers": 2}, "without"),
        ({"autoaugment": "v0"}, "without"),
    ],
)
def test_what_mixes_labels_of_whole_images_is_refused(augment, told):
    with pytest.raises(ValueError, match=told):
        SEGMENTATION.train_inputs(Inputs(AugmentSpec(**augment), 8, 2, *RAW))


def test_a_centre_crop_would_leave_out_pixels():
    with pytest.raises(ValueError, match=r"eval_crop=0\.9 would leave out"):
        SEGMENTATION.eval_inputs(Inputs(AugmentSpec(eval_crop=0.9), 8, 2, *RAW))
