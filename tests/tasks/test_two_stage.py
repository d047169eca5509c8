"""Two stages that learn together: samples of fixed size, losses by hand, boxes that are read back."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.models.boxes import encode
from scaling.models.unique import NOT_COMPARED
from scaling.runs.spec import TrainSpec
from scaling.tasks import two_stage
from scaling.tasks.matching import BACKGROUND, IGNORED

SIDE, CLASSES = 32, 3  # the background among them
WEIGHTS = (10.0, 10.0, 5.0, 5.0)
CORNERS = [(x, y, x + s, y + s) for s in (8, 16) for y in range(0, SIDE, s) for x in range(0, SIDE, s)]
ANCHORS = np.array(CORNERS, np.float32)
ARCH = SimpleNamespace(head=SimpleNamespace(anchors=lambda arch, height, width: ANCHORS, box_weights=WEIGHTS))
# The first image has a box that is the first anchor, and one that no anchor overlaps by half
TRUTH = np.array([[[0, 0, 8, 8], [17, 17, 21, 21]], [[0, 0, 0, 0]] * 2], np.float32)
LABELS = np.array([[0, 1], [-1, -1]], np.int32)
INPUTS = {"image": np.zeros((2, SIDE, SIDE, 1), np.float32), "boxes": TRUTH / SIDE, "label": LABELS}
# What the second stage looks at: both boxes nearly, an empty place, none
LOOKED = np.array([[0, 0, 8, 9], [17, 17, 21, 22], [8, 24, 16, 32], [0, 0, 0, 0]], np.float32)
PROPOSALS = np.stack([LOOKED, LOOKED])


def outputs_of(seed=0):
    rng = np.random.default_rng(seed)
    draw = lambda *shape: rng.normal(size=shape).astype(np.float32)
    count, looked = len(ANCHORS), len(LOOKED)
    return {
        "objectness": draw(2, count, 1),
        "pred_bbox_deltas": draw(2, count, 4),
        "proposals": PROPOSALS,
        "class_logits": draw(2, looked, CLASSES),
        "box_regression": draw(2, looked, 4 * CLASSES),
    }


def losses_of(outputs):
    told = jax.tree.map(jnp.asarray, INPUTS)
    return jax.jit(lambda outputs: two_stage.losses(outputs, told, TrainSpec(), ARCH))(outputs)


def smooth(x):
    x = np.abs(x)
    return np.where(x < 1 / 9, 4.5 * x**2, x - 1 / 18).sum()


def test_losses_are_those_of_their_definitions():
    """All 20 anchors fit into the sample but those that are neither: each is below 0.3 or has a box."""
    outputs = outputs_of()
    class_b, box_b = losses_of(outputs)
    chance = lambda x: 1 / (1 + np.exp(-x.astype(np.float64)))
    positive = {0: 0, 10: 1}
    for image in (0, 1):
        scores = chance(outputs["objectness"][image, :, 0])
        told = np.isin(np.arange(len(ANCHORS)), list(positive)) & (image == 0)
        first = -np.where(told, np.log(scores), np.log(1 - scores)).mean()
        logits = outputs["class_logits"][image, :3].astype(np.float64)
        logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        second = -logs[range(3), [1, 2, 0] if image == 0 else [0, 0, 0]].mean()
        assert class_b[image] == pytest.approx(first + second, rel=1e-4)
    first = sum(
        smooth(outputs["pred_bbox_deltas"][0, a] - encode(TRUTH[0, m], ANCHORS[a]))
        for a, m in positive.items()
    )
    deltas = outputs["box_regression"][0].reshape(-1, CLASSES, 4)
    second = sum(
        smooth(deltas[r, kind] - encode(TRUTH[0, r], LOOKED[r], WEIGHTS)) for r, kind in ((0, 1), (1, 2))
    )
    assert box_b[0] == pytest.approx(first / len(ANCHORS) + second / 3, rel=1e-4) and box_b[1] == 0


@pytest.mark.nightly
def test_gradients_are_finite_and_pass_through_no_proposal():
    told = jax.tree.map(jnp.asarray, INPUTS)
    total = lambda outputs: sum(map(jnp.sum, two_stage.losses(outputs, told, TrainSpec(), ARCH)))
    grads = jax.jit(jax.grad(total))(jax.tree.map(jnp.asarray, outputs_of()))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(grads))
    assert all(np.any(leaf) for name, leaf in grads.items() if name != "proposals")


@pytest.mark.representatives("50-200", "3-200", "50-10")
@pytest.mark.parametrize("positives, background", [(50, 200), (3, 200), (50, 10), (0, 5), (0, 0)])
def test_a_sample_has_a_share_of_positives_and_is_filled_with_background(positives, background):
    index = np.full(300, IGNORED, np.int32)
    index[:positives], index[positives : positives + background] = 4, BACKGROUND
    draw = jax.jit(lambda key: two_stage.sample(key, jnp.asarray(index), 40, 0.25))
    place, real = map(np.asarray, draw(jax.random.key(0)))
    assert place.shape == (40,) and len(set(place)) == 40
    chosen = index[place[real]]
    kept = min(positives, 10)
    assert (chosen >= 0).sum() == kept and (chosen == BACKGROUND).sum() == min(background, 40 - kept)
    again, other = (set(np.asarray(draw(jax.random.key(seed))[0])) for seed in (0, 1))
    assert again == set(place) and (other != again or positives + background < 40)


def test_the_second_stage_learns_from_true_boxes_beside_proposals(monkeypatch):
    monkeypatch.setattr(two_stage, "proposals", lambda *_: jnp.asarray(PROPOSALS))
    told = {**jax.tree.map(jnp.asarray, INPUTS), "key": jax.random.split(jax.random.key(0), 2)}
    found = np.asarray(jax.jit(lambda told: two_stage.sampled({}, told, TrainSpec(regions=8), ARCH))(told))
    assert found.shape == (2, 6, 4)
    boxes = [{tuple(box) for box in image if box.any()} for image in found]
    # Of six places one may be positive: one box near the truth is drawn, and the empty place
    near = {tuple(box) for box in (*TRUTH[0], *LOOKED[:2])}
    assert len(boxes[0] & near) == 1 and tuple(LOOKED[2]) in boxes[0]
    assert boxes[1] == {tuple(box) for box in LOOKED[:3]}


def test_outputs_that_say_the_truth_are_read_back():
    logits = np.full((2, len(LOOKED), CLASSES), -9.0, np.float32)
    logits[..., 0] = 9.0
    deltas = np.zeros((2, len(LOOKED), CLASSES, 4), np.float32)
    for r, kind in ((0, 1), (1, 2)):
        logits[0, r], logits[0, r, kind] = -9.0, 9.0
        deltas[0, r, kind] = encode(TRUTH[0, r], LOOKED[r], WEIGHTS)
    logits[:, 3] = [-9.0, 9.0, -9.0]  # of the box that is none
    outputs = {"proposals": PROPOSALS, "class_logits": logits, "box_regression": deltas.reshape(2, 4, -1)}
    found = jax.jit(lambda outputs: two_stage.detect(ARCH, outputs, SIDE, SIDE, TrainSpec()))(outputs)
    assert [int((s > 0).sum()) for s in found.scores] == [2, 0]
    order = np.argsort(found.classes[0, :2])
    np.testing.assert_allclose(np.asarray(found.boxes[0, :2])[order], TRUTH[0], atol=1e-3)
    assert np.asarray(found.classes[0, :2])[order].tolist() == [0, 1]


UNIQUE = np.random.default_rng(5).normal(size=(2, len(LOOKED), CLASSES - 1)).astype(np.float32)


def test_of_a_thing_s_boxes_the_likeliest_is_right_and_all_others_are_duplicates():
    """By loops over classes and boxes; the third box, which nobody compared, does not count."""
    unique = UNIQUE.copy()
    unique[:, 2] = NOT_COMPARED
    outputs = outputs_of() | {"box_regression": np.zeros((2, len(LOOKED), 4 * CLASSES), np.float32)}
    without, with_it = (losses_of(outputs | more)[0] for more in ({}, {"unique_logits": unique}))
    for image in (0, 1):
        logits = outputs["class_logits"][image].astype(np.float64)
        chance = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        final = chance[:, 1:] / (1 + np.exp(-unique[image].astype(np.float64)))
        terms = []
        for kind in range(CLASSES - 1):
            for box in (0, 1, 3):
                # Each of the first two boxes is alone on a thing of its class, in the first image
                right = image == 0 and box == kind
                terms.append(-np.log(final[box, kind]) if right else -np.log1p(-final[box, kind]))
        assert with_it[image] - without[image] == pytest.approx(np.mean(terms), rel=1e-4)


def test_duplicates_are_told_instead_of_suppressed():
    """Four boxes of one place: those that are no duplicates stay, whatever their overlap says."""
    outputs = {name: jnp.asarray(array) for name, array in outputs_of().items()}
    outputs["proposals"] = jnp.asarray(np.tile(LOOKED[:1], (2, len(LOOKED), 1)))
    outputs["box_regression"] = jnp.zeros_like(outputs["box_regression"])
    outputs["class_logits"] = jnp.tile(jnp.array([0.0, 3.0, -9.0]), (2, len(LOOKED), 1))
    detect = lambda **more: two_stage.detect(ARCH, outputs | more, SIDE, SIDE, TrainSpec(least_score=0.2))
    assert np.sum(np.asarray(detect().scores) > 0, 1).tolist() == [1, 1]
    unique = jnp.array([9.0, NOT_COMPARED, -9.0, 1.0])[None, :, None] * jnp.ones((2, 1, CLASSES - 1))
    scores = np.asarray(detect(unique_logits=unique).scores)
    assert np.sum(scores > 0, 1).tolist() == [2, 2]
    chance = 1 / (1 + np.exp(-3.0) + np.exp(-12.0))
    np.testing.assert_allclose(scores[:, 0], chance / (1 + np.exp(-9.0)), rtol=1e-4)
