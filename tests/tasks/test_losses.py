"""Losses and accuracies equal their definitions written in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling import zoo
from scaling.runs.spec import CHOICES, TrainSpec
from scaling.tasks.classification import CLASSIFICATION
from scaling.tasks.losses import class_loss, cross_entropy, distance, in_top_k, posterior


@pytest.fixture
def logits_bk():
    return np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32) * 5


def test_cross_entropy_of_soft_targets(logits_bk):
    targets_bk = np.random.default_rng(1).dirichlet(np.ones(7), size=50).astype(np.float32)
    wide = logits_bk.astype(np.float64)
    log_probs = wide - np.log(np.exp(wide).sum(-1, keepdims=True))
    np.testing.assert_allclose(cross_entropy(logits_bk, targets_bk), -(targets_bk * log_probs).sum(-1), 1e-5)


def test_low_precision_logits_are_summed_in_float32(logits_bk):
    loss = cross_entropy(jnp.asarray(logits_bk, jnp.bfloat16), jnp.eye(7)[jnp.arange(50) % 7])
    assert loss.dtype == jnp.float32


def test_distances_of_classes_count_by_equations_8_and_9():
    distances_bk = np.random.default_rng(0).uniform(0, 9, (20, 4)).astype(np.float32)
    targets_bk, own_b = np.eye(4)[np.arange(20) % 4], distances_bk[np.arange(20), np.arange(20) % 4]
    np.testing.assert_allclose(distance(-distances_bk, targets_bk), own_b, rtol=1e-6)
    expected = own_b + np.log(np.exp(-2.0) + np.exp(-distances_bk).sum(-1))
    np.testing.assert_allclose(posterior(-distances_bk, targets_bk, 2.0), expected, rtol=1e-4)


def test_another_class_counts_by_being_nearer_than_the_margin():
    distances = -np.array([[1.0, other] for other in (2.0, 5.0, 9.0, 40.0, 80.0)])
    two, five, nine, forty, eighty = np.asarray(posterior(distances, np.eye(2)[[0] * 5], 10.0))
    assert two > five > nine > forty and forty == pytest.approx(eighty, abs=1e-6)


def test_the_choices_of_a_config_are_the_losses_and_distances_need_codes():
    for name in CHOICES["train", "class_loss"]:
        loss = class_loss(name, None)
        assert jax.eval_shape(loss, np.zeros((2, 3)), np.eye(3)[:2]).shape == (2,)
    with pytest.raises(
        ValueError, match="class_loss='map' is of distances to codes, which lenet5 does not answer"
    ):
        CLASSIFICATION.loss(lambda x: (x, {}), {}, TrainSpec(class_loss="map"), zoo.get("lenet5"))


@pytest.mark.parametrize("k", [1, 5])
def test_top_k_is_a_stable_sort_of_descending_logits(logits_bk, k):
    logits_bk = np.round(logits_bk / 4)  # many ties
    labels_b = np.random.default_rng(2).integers(0, 7, 50)
    ranked = np.argsort(-logits_bk, axis=-1, kind="stable")[:, :k]
    np.testing.assert_array_equal(in_top_k(logits_bk, labels_b, k), (ranked == labels_b[:, None]).any(-1))


def test_a_constant_prediction_scores_like_a_guess():
    labels_b = np.arange(10)
    assert np.sum(in_top_k(np.zeros((10, 10), np.float32), labels_b, 1)) == 1
    assert np.sum(in_top_k(np.zeros((10, 10), np.float32), labels_b, 5)) == 5


def test_with_fewer_classes_than_k_everything_is_right_but_nan():
    logits_bk = np.array([[0.0, 1.0], [np.nan, 1.0]], np.float32)
    np.testing.assert_array_equal(in_top_k(logits_bk, np.array([0, 1]), 5), [True, False])
