"""Embeddings: what losses of triplets and margins must be, and trials whose answers are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.runs.spec import CHOICES, AugmentSpec, TrainSpec
from scaling.tasks.embedding import EMBEDDING
from scaling.tasks.embedding_losses import (
    MARGINS,
    OF_CLASSES,
    OF_PAIRS,
    arcface,
    cosface,
    sphereface,
    triplet,
)
from scaling.tasks.one_shot import trials, verified
from scaling.tasks.roc import area_under_roc
from scaling.tasks.task import AXIS, Inputs

DEGREES = np.pi / 180
with_margin = pytest.mark.parametrize("loss, margin", [(arcface, 0.5), (cosface, 0.35), (sphereface, 1.35)])


def circle(*degrees: float) -> jnp.ndarray:
    """Unit vectors of the plane."""
    angles = np.array(degrees) * DEGREES
    return jnp.asarray(np.stack([np.cos(angles), np.sin(angles)], -1), jnp.float32)


def cosines(*degrees: float) -> dict:
    """What a network answers for an example at these angles to the classes."""
    return {"cosines": np.cos(np.array([degrees]) * DEGREES).astype(np.float32)}


def test_the_choices_of_a_config_are_the_losses():
    names = (*OF_PAIRS, *OF_CLASSES)
    assert CHOICES["train", "embedding_loss"] == names and MARGINS.keys() == set(names)


def test_a_triplet_counts_nothing_beyond_its_margin_and_by_the_hardest_within():
    labels = jnp.array([0, 0, 1, 1])
    far = circle(0, 5, 90, 95)
    assert np.asarray(triplet(far, labels, far, labels, 0.2)).tolist() == [0, 0, 0, 0]
    near = circle(0, 30, 40, 50)
    chord = lambda degrees: 2 * np.sin(degrees * DEGREES / 2)
    expected = [max(0.2 + chord(30) - chord(apart), 0) for apart in (40, 10, 10, 20)]
    expected[2:] = [0.2 + chord(10) - chord(10), 0.2 + chord(10) - chord(20)]
    np.testing.assert_allclose(triplet(near, labels, near, labels, 0.2), np.maximum(expected, 0), atol=1e-5)


@pytest.mark.parametrize("name", OF_PAIRS)
def test_losses_of_pairs_do_not_depend_on_the_order_and_have_finite_gradients(name):
    vectors = circle(0, 0, 0, 20, 50, 90)
    labels, order = jnp.array([0, 0, 1, 1, 2, 2]), np.array([3, 1, 5, 0, 2, 4])
    loss = jax.jit(lambda v, l: jnp.mean(OF_PAIRS[name](v, l, v, l, MARGINS[name])))
    assert float(loss(vectors, labels)) == pytest.approx(float(loss(vectors[order], labels[order])), rel=1e-5)
    assert np.isfinite(jax.grad(loss)(vectors, labels)).all()


@with_margin
def test_a_margin_makes_the_own_class_harder_and_none_changes_nothing(loss, margin):
    answers, label, neutral = cosines(60, 70, 100), jnp.array([0]), 1.0 if loss is sphereface else 0.0
    scores, told = 16 * np.asarray(answers["cosines"])[0], jax.jit(loss)
    plain = np.log(np.sum(np.exp(scores))) - scores[0]
    assert float(told(answers, label, neutral, 16.0)[0]) == pytest.approx(plain, abs=1e-4)
    assert told(answers, label, margin, 16.0)[0] > plain


@with_margin
def test_the_own_class_counts_less_the_further_it_is(loss, margin):
    one = lambda cosine: loss({"cosines": jnp.stack([cosine, 0.0])[None]}, jnp.array([0]), margin, 1.0)[0]
    told, slopes = jax.jit(jax.vmap(jax.value_and_grad(one)))(
        np.cos(np.arange(0, 181, 5) * DEGREES).astype(np.float32)
    )
    assert np.all(np.diff(told) > 0) and np.isfinite(slopes).all() and np.all(slopes[1:-1] < 0)


def test_the_boundary_of_arcface_is_an_angle():
    """Two classes are equal where the own angle and the margin make the other's angle, wherever that is."""
    for own in (10, 40, 80):
        other = own + 0.5 / DEGREES
        found = float(arcface(cosines(own, other), jnp.array([0]), 0.5, 16.0)[0])
        assert found == pytest.approx(np.log(2), abs=1e-4)
    shift = [cosface(cosines(a, a + 0.5 / DEGREES), jnp.array([0]), 0.35, 16.0)[0] for a in (10, 80)]
    assert abs(shift[0] - shift[1]) > 0.1


def test_devices_see_the_triplets_of_each_other():
    vectors = circle(0, 30, 40, 50)
    inputs = {"image": vectors, "label": jnp.array([0, 0, 1, 1])}
    apply = lambda x: ({"embedding": x}, {})
    loss = jax.jit(jax.vmap(lambda x: EMBEDDING.loss(apply, x, TrainSpec(), None)[0], axis_name=AXIS))
    whole = loss(jax.tree.map(lambda x: np.asarray(x)[None], inputs))
    parts = loss(jax.tree.map(lambda x: np.asarray(x).reshape(2, 2, *x.shape[1:]), inputs))
    assert np.mean(parts) == pytest.approx(float(whole[0]), rel=1e-6) and parts[0] != parts[1]


@pytest.mark.parametrize("name, outputs", [("arcface", {"embedding": 0}), ("triplet", {"cosines": 0})])
def test_a_head_that_a_loss_cannot_train_is_refused(name, outputs):
    apply = lambda x: (outputs, {})
    with pytest.raises(
        ValueError, match=f"embedding_loss='{name}' needs a head .*set config.model.head='embedding"
    ):
        EMBEDDING.loss(apply, {"image": 0, "label": 0}, TrainSpec(embedding_loss=name), None)


def test_mixed_classes_are_refused():
    with pytest.raises(ValueError, match="mix classes"):
        EMBEDDING.train_inputs(Inputs(AugmentSpec(mixup=0.2), 8, 2, (0.5,), (0.5,)))


def test_trials_ask_for_the_class_of_the_nearest_known_example():
    vectors, labels = np.asarray(circle(0, 90, 10, 40, 60, 200)), np.array([4, 7, 4, 7, 4, 7])
    named = np.array([0, 0, 0, 0, 0, 0])
    assert trials(vectors, labels, named).tolist() == [[4, 2]]
    assert trials(np.eye(40).repeat(2, 0), np.arange(40).repeat(2)).tolist() == [[20, 20]] * 20
    assert trials(vectors[:1], labels[:1]).shape == (0, 2)


def test_pairs_are_verified_by_a_threshold_of_other_classes():
    rng, labels = np.random.default_rng(0), np.arange(40).repeat(4)
    vectors = np.eye(40)[labels] + 0.3 * rng.normal(size=(160, 40))
    assert 0.7 < verified(vectors, labels) < 1 and verified(vectors, labels) == verified(3 * vectors, labels)
    assert abs(verified(rng.normal(size=(160, 8)), labels) - 0.5) < 0.1
    assert verified(vectors[:12], labels[:12]) == verified(vectors[::4], labels[::4]) == 0.5


def test_the_area_under_roc_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(0)
    scores, truth = rng.integers(0, 9, 40), rng.random(40) < 0.4
    apart = scores[truth][:, None] - scores[~truth][None]
    assert area_under_roc(scores, truth) == pytest.approx(np.mean((apart > 0) + 0.5 * (apart == 0)))
    assert area_under_roc(scores, np.zeros(40, bool)) == 0.5


def test_metrics_of_vectors_that_say_the_class_are_perfect():
    arrays = {"embedding": np.eye(6).repeat(3, 0), "label": np.arange(6).repeat(3)}
    found = EMBEDDING.means({**arrays, "count": 18})
    assert found == {"one_shot": 1, "one_shot_margin": 0, "auc": 1, "verified": 1, "loss": 0}
