"""Images normalised by their own values: what each rule promises, alike in training and inference."""

import jax
import numpy as np
import pytest

from scaling.data.augment import eval_transform, train_transform
from scaling.data.per_image import NORMALISED, normalised
from scaling.runs.spec import AugmentSpec
from scaling.weights.preprocessing import Preprocessing

IMAGES = np.random.default_rng(0).integers(20, 200, (4, 8, 8, 3), np.uint8)
SET = ((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))


def test_each_rule_keeps_its_promise():
    made = {name: normalised(IMAGES, name).reshape(4, -1) for name in NORMALISED}
    np.testing.assert_allclose(
        [made["min_max"].min(1), made["min_max"].max(1)], [[0] * 4, [1] * 4], atol=1e-4
    )
    np.testing.assert_allclose(
        [made["z_score"].mean(1), made["z_score"].std(1)], [[0] * 4, [1] * 4], atol=1e-4
    )
    for power in (1, 2):
        np.testing.assert_allclose((np.abs(made[f"l{power}"]) ** power).mean(1), 1, atol=1e-4)


@pytest.mark.parametrize("how", NORMALISED)
def test_brightness_as_far_as_the_rule_is_blind_to_it_changes_nothing(how):
    shift = 20 if how in ("min_max", "z_score") else 0
    dark = IMAGES // 4
    np.testing.assert_allclose(normalised(3 * dark + shift, how), normalised(dark, how), atol=1e-3)
    assert np.isfinite(normalised(np.zeros((1, 4, 4, 1), np.uint8), how)).all()


@pytest.mark.parametrize("how", NORMALISED)
def test_training_evaluation_and_the_record_of_weights_agree(how):
    augment = AugmentSpec(normalise=how)
    told = Preprocessing(8, 1.0, "squash", "bilinear", *SET, per_image=how)
    assert Preprocessing.from_dict(told.to_dict()) == told
    expected = np.stack([told.apply(image) for image in IMAGES])
    keys, labels = jax.random.split(jax.random.key(0), 4), np.arange(4)
    trained, _ = jax.jit(train_transform(augment, 8, 5, *SET))(IMAGES, labels, keys)
    np.testing.assert_allclose(trained, expected, atol=1e-4)
    np.testing.assert_allclose(jax.jit(eval_transform(augment, 8, *SET))(IMAGES), expected, atol=1e-4)


def test_a_record_without_it_is_written_as_before():
    assert "per_image" not in Preprocessing(8).to_dict()
    with pytest.raises(ValueError, match="per_image='mean' must be empty or one of min_max"):
        Preprocessing(8, per_image="mean")
