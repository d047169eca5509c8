"""Detection: its loss by hand, boxes that move with their image, and predictions that are read back."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.data.augment import draws_of, train_images
from scaling.data.placement import move_boxes, placement
from scaling.models.boxes import encode
from scaling.runs.spec import AugmentSpec, TrainSpec
from scaling.tasks.detection import DETECTION, LEAST_SHOWN, detect
from scaling.tasks.task import Inputs

RAW = (0.0,), (1 / 255,)  # mean and deviation that leave pixels as they are
SIDE, CLASSES = 32, 2
# A grid of 16 anchors of 8 pixels, and a larger one of 4 of 16
CORNERS = [(x, y, x + s, y + s) for s in (8, 16) for y in range(0, SIDE, s) for x in range(0, SIDE, s)]
ANCHORS = np.array(CORNERS, np.float32)


def arch_of(background):
    """What the task asks of a network: a head with these anchors."""
    head = SimpleNamespace(
        anchors=lambda arch, height, width: ANCHORS,
        box_order="xyxy",
        box_weights=(10.0, 10.0, 5.0, 5.0) if background else (1.0, 1.0, 1.0, 1.0),
        background=background,
    )
    return SimpleNamespace(head=head, num_classes=CLASSES + background)


ARCHS = {"sigmoid": arch_of(False), "background": arch_of(True)}
both = pytest.mark.parametrize("arch", ARCHS.values(), ids=ARCHS)

# Two images: a box that is the first anchor and one that no anchor overlaps by half; no box at all
BOXES = np.array([[[0, 0, 8, 8], [17, 17, 21, 21], [0, 0, 0, 0]], [[0, 0, 0, 0]] * 3], np.float32) / SIDE
LABELS = np.array([[0, 1, -1], [-1, -1, -1]], np.int32)
FIELDS = {"image": np.zeros((2, SIDE, SIDE, 1), np.float32), "boxes": BOXES, "label": LABELS}


def outputs_of(arch, seed=0):
    rng = np.random.default_rng(seed)
    shape = (2, len(ANCHORS))
    logits = rng.normal(size=(*shape, arch.num_classes)).astype(np.float32)
    return {"cls_logits": logits, "bbox_regression": rng.normal(size=(*shape, 4)).astype(np.float32)}


def told(outputs, arch, **options):
    """The loss and its parts for these outputs."""
    loss, parts = jax.jit(lambda outputs: loss_of(outputs, arch, **options))(outputs)
    return float(loss), {name: float(part) for name, part in parts.items()}


def loss_of(outputs, arch, **options):
    inputs = {name: jnp.asarray(array) for name, array in FIELDS.items()}
    return DETECTION.loss(lambda _: (outputs, {}), inputs, TrainSpec(**options), arch)[::2]


# Of the first image: anchor 0 is the first box; the second box lies best in anchor 10, by a quarter
POSITIVE = {0: 0, 10: 1}


def test_the_focal_loss_is_over_anchors_that_count_by_the_positive_ones():
    arch, outputs = ARCHS["sigmoid"], outputs_of(ARCHS["sigmoid"])
    targets = np.zeros((2, len(ANCHORS), CLASSES))
    for anchor, label in POSITIVE.items():
        targets[0, anchor, label] = 1
    p = 1 / (1 + np.exp(-outputs["cls_logits"].astype(np.float64)))
    p = np.where(targets == 1, p, 1 - p)
    each = -np.where(targets == 1, 0.25, 0.75) * (1 - p) ** 2 * np.log(p)
    sums = each.sum((1, 2))
    _, parts = told(outputs, arch)
    assert parts["class_loss"] == pytest.approx(np.mean([sums[0] / 2, sums[1] / 1]), rel=1e-4)


def test_the_cross_entropy_is_over_positives_and_three_times_as_many_of_the_others():
    arch, outputs = ARCHS["background"], outputs_of(ARCHS["background"])
    logits = outputs["cls_logits"].astype(np.float64)
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    others = [sorted(-logs[i, [a for a in range(20) if i or a not in POSITIVE], 0])[::-1] for i in (0, 1)]
    first = -logs[0, 0, 1] - logs[0, 10, 2] + sum(others[0][:6])
    _, parts = told(outputs, arch)
    assert parts["class_loss"] == pytest.approx(np.mean([first / 2, sum(others[1][:3])]), rel=1e-4)


@pytest.mark.representatives(1)
@both
@pytest.mark.parametrize("box_loss", ["smooth_l1", "ciou"])
def test_boxes_that_are_right_cost_nothing_and_gradients_are_finite(arch, box_loss):
    outputs = outputs_of(arch)
    outputs["bbox_regression"] = np.array(outputs["bbox_regression"])
    for anchor, box in zip(POSITIVE, BOXES[0] * SIDE):
        outputs["bbox_regression"][0, anchor] = encode(box, ANCHORS[anchor], arch.head.box_weights)
    assert told(outputs, arch, box_loss=box_loss)[1]["box_loss"] == pytest.approx(0, abs=1e-5)
    wrong = outputs_of(arch, 1)
    loss, parts = told(wrong, arch, box_loss=box_loss, box_weight=2.0)
    assert parts["box_loss"] > 0 and loss == pytest.approx(parts["class_loss"] + 2 * parts["box_loss"])
    total = lambda outputs: loss_of(outputs, arch, box_loss=box_loss)[0]
    grads = jax.jit(jax.grad(total))(jax.tree.map(jnp.asarray, wrong))
    assert all(np.isfinite(leaf).all() and np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(grads))


@both
def test_sums_are_of_real_images_and_their_loss_is_that_of_training(arch):
    outputs, spec = outputs_of(arch), TrainSpec()
    summed = jax.jit(
        lambda real: DETECTION.sums(outputs, jax.tree.map(jnp.asarray, FIELDS), real, spec, arch)
    )
    sums = [summed(np.array(real)) for real in ([True, True], [True, False])]
    assert sums[0]["count"] == 2 and sums[1]["count"] == 1
    assert sums[0]["loss"] / 2 == pytest.approx(told(outputs, arch)[0], rel=1e-5)
    assert sums[1]["loss"] < sums[0]["loss"]


@both
def test_outputs_that_say_the_truth_score_1(arch):
    sure = np.full((2, len(ANCHORS), CLASSES), -9.0, np.float32)
    deltas = np.zeros((2, len(ANCHORS), 4), np.float32)
    for (anchor, label), box in zip(POSITIVE.items(), BOXES[0] * SIDE):
        sure[0, anchor, label] = 9.0
        deltas[0, anchor] = encode(box, ANCHORS[anchor], arch.head.box_weights)
    if arch.head.background:
        sure = np.concatenate([np.zeros_like(sure[..., :1]), sure], -1)
    outputs = {"cls_logits": sure, "bbox_regression": deltas}
    soft = TrainSpec(suppression="soft")
    found = jax.jit(lambda outputs: detect(arch, outputs, SIDE, SIDE, soft))(outputs)
    assert [int((s > 0).sum()) for s in found.scores] == [2, 0]
    assert set(found.classes[0, :2].tolist()) == {0, 1}

    @jax.jit
    def totals(outputs):
        inputs, spec = jax.tree.map(jnp.asarray, FIELDS), TrainSpec()
        sums = DETECTION.sums(outputs, inputs, jnp.array([True, True]), spec, arch)
        return {**sums, **DETECTION.gather(outputs, inputs, spec, arch)}

    metrics = DETECTION.means(jax.tree.map(np.asarray, totals(outputs)))
    assert metrics["ap"] == metrics["ap50"] == metrics["ap75"] == 1 and metrics["loss"] < 0.1


@pytest.mark.parametrize("crop", ["pad", "resized"])
def test_boxes_move_with_their_image(crop):
    """Of an image that is black but for its box, the moved box holds what is not black, and no more."""
    augment = AugmentSpec(crop=crop, pad=6, flip=True, area=(0.5, 1.0))
    rng = np.random.default_rng(0)
    start = rng.integers(0, SIDE - 10, (12, 2))
    boxes = np.concatenate([start, start + rng.integers(6, 10, (12, 2))], -1)
    images = np.zeros((12, SIDE, SIDE, 1), np.uint8)
    for image, (x1, y1, x2, y2) in zip(images, boxes):
        image[y1:y2, x1:x2] = 200
    move = lambda box, d: move_boxes(box[None], placement(d, augment, SIDE))

    @jax.jit
    def augmented(images, boxes):
        draws = draws_of(augment, jax.vmap(jax.random.key)(jnp.arange(12)))
        return train_images(augment, SIDE, *RAW)(images, draws)[..., 0], *jax.vmap(move)(boxes, draws)

    shown, moved, share = map(np.asarray, augmented(images, np.float32(boxes) / SIDE))
    assert np.any(share < 1)
    for image, (x1, y1, x2, y2), seen in zip(shown, moved[:, 0] * SIDE, share[:, 0]):
        rows, columns = np.nonzero(image > 100)
        if seen > LEAST_SHOWN:
            found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            np.testing.assert_allclose([x1, y1, x2, y2], found, atol=0.01 if crop != "resized" else 1.01)


def test_boxes_that_a_crop_shows_too_little_of_are_no_examples():
    inputs = DETECTION.train_inputs(Inputs(AugmentSpec(crop="pad", pad=16), SIDE, CLASSES, *RAW))
    fields = {"image": jnp.zeros((64, SIDE, SIDE, 1), jnp.uint8), "label": jnp.zeros((64, 1), jnp.int32)}
    fields["boxes"] = jnp.tile(jnp.array([0.0, 0.0, 0.25, 0.25]), (64, 1, 1))
    made = jax.jit(inputs)(fields, jax.vmap(jax.random.key)(jnp.arange(64)))
    area = np.prod(np.asarray(made["boxes"])[:, 0, 2:] - np.asarray(made["boxes"])[:, 0, :2], -1)
    np.testing.assert_array_equal(made["label"][:, 0] == 0, area >= LEAST_SHOWN / 16)
    assert {-1, 0} == set(np.asarray(made["label"]).ravel())


@pytest.mark.parametrize(
    "change", [{"mixup": 0.2}, {"cutmix": 1.0}, {"randaugment_layers": 1}, {"autoaugment": "v0"}]
)
def test_what_moves_images_without_their_boxes_is_refused(change):
    with pytest.raises(ValueError, match="without their boxes"):
        DETECTION.train_inputs(Inputs(AugmentSpec(**change), SIDE, CLASSES, *RAW))


def test_a_centre_crop_would_leave_out_boxes():
    with pytest.raises(ValueError, match=r"eval_crop=0\.9 would leave out"):
        DETECTION.eval_inputs(Inputs(AugmentSpec(eval_crop=0.9), SIDE, CLASSES, *RAW))
