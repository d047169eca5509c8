"""Boxes with classes: a loss over matched anchors, and COCO's average precision.

Heads whose scores are sigmoids learn by focal loss and RetinaNet's matching, heads with a background class by
cross-entropy with hard negatives and SSD's. Both, and the loss of the boxes, are sums over an image's
anchors, divided by the number of its positive ones, at least 1; the loss is the mean over images, so that
micro-batches make one batch (SSD's and EfficientDet's authors divide by the positives of a batch). Heads in
two stages have losses of their own (`scaling.tasks.two_stage`)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from scaling.arch.region_heads import TwoStage
from scaling.data.augment import check_moves, check_uncropped, draws_of, eval_transform, train_images
from scaling.data.placement import move_boxes, placement
from scaling.models.box_heads import flattened
from scaling.models.boxes import decode, iou_matrix
from scaling.runs.spec import TrainSpec
from scaling.tasks import two_stage
from scaling.tasks.answers import Answer
from scaling.tasks.average_precision import average_precision, summary
from scaling.tasks.box_losses import off_by
from scaling.tasks.box_panels import BOX_COLUMNS, box_panels, boxes_of, image_score, said_boxes
from scaling.tasks.detections import Detections, best_of
from scaling.tasks.matching import BACKGROUND, IGNORED, RETINANET, SSD, hard_negatives
from scaling.tasks.pictures import Pictures
from scaling.tasks.task import Inputs, Metric, Task

LEAST_SHOWN = 0.3  # of a box's area: one that a crop shows less of is no example of its class
ALPHA, GAMMA = 0.25, 2.0  # of the focal loss: arXiv 1708.02002 section 4
# Where smooth L1 becomes linear, in the units of offsets, which a head with a background multiplies
BETA, WEIGHTED_BETA = 0.1, 1.0


def _train_inputs(made: Inputs):
    augment, side = made.augment, made.resolution
    images = train_images(augment, side, made.mean, made.std)
    check_moves(augment, "boxes")

    def moved(boxes_m4, label_m, draws_u):
        boxes_m4, shown_m = move_boxes(boxes_m4, placement(draws_u, augment, side))
        return boxes_m4, jnp.where(shown_m >= LEAST_SHOWN, label_m, -1)

    def inputs(fields, keys_b):
        draws_bu = draws_of(augment, keys_b)
        boxes_nm4, label_nm = jax.vmap(moved)(fields["boxes"], fields["label"], draws_bu)
        made = {"image": images(fields["image"], draws_bu), "boxes": boxes_nm4, "label": label_nm}
        return {**made, "key": keys_b}

    return inputs


def _eval_inputs(made: Inputs):
    check_uncropped(made.augment, "boxes")
    transform = eval_transform(made.augment, made.resolution, made.mean, made.std)
    return lambda fields: {**fields, "image": transform(fields["image"])}


def _adapt(arch):
    """One class more where the head has a background; ValueError for a head that also draws masks."""
    if isinstance(arch.head, TwoStage) and arch.head.masks:
        raise ValueError(
            f"{arch.name} draws masks, which config.task='detection' has none of to learn from: set "
            "config.task='instance_segmentation', or leave them out (arch.head.masks=None)."
        )
    return arch.replace(num_classes=arch.num_classes + 1) if arch.head.background else arch


def _loss(apply, inputs, spec, arch, stages=two_stage.BOTH):
    told = {}
    if isinstance(arch.head, TwoStage):
        told["regions"] = lambda found: two_stage.sampled(found, inputs, spec, arch)
    outputs, updates = apply(inputs["image"], **told)
    class_b, box_b = _losses(outputs, inputs, spec, arch, stages)
    parts = {"class_loss": jnp.mean(class_b), "box_loss": jnp.mean(box_b)}
    return parts["class_loss"] + spec.box_weight * parts["box_loss"], updates, parts


def _losses(outputs, inputs, spec, arch, stages=two_stage.BOTH):
    """The losses of each image's classes and boxes, (n,) each."""
    if isinstance(arch.head, TwoStage):
        return two_stage.losses(outputs, inputs, spec, arch, stages)
    head, (height, width) = arch.head, inputs["image"].shape[1:3]
    anchors_a4 = jnp.asarray(head.anchors(arch, height, width))
    scale = jnp.asarray([width, height, width, height], jnp.float32)

    def of_image(scores_ak, deltas_a4, boxes_m4, label_m):
        matcher = SSD if head.background else RETINANET
        index_a = matcher(iou_matrix(boxes_m4, anchors_a4), label_m >= 0)
        positive_a, own_a = index_a >= 0, jnp.maximum(index_a, 0)
        count = jnp.maximum(1, jnp.sum(positive_a))
        label_a = jnp.where(positive_a, label_m[own_a], -1)
        by_class = _by_softmax if head.background else _by_sigmoid
        # An anchor without a box has itself as its truth, which keeps what is not counted finite
        truth_a4 = jnp.where(positive_a[:, None], boxes_m4[own_a], anchors_a4)
        beta = WEIGHTED_BETA if head.background else BETA
        off_a = off_by(deltas_a4, truth_a4, anchors_a4, head.box_weights, spec.box_loss, beta)
        return by_class(scores_ak, label_a, index_a) / count, jnp.sum(
            jnp.where(positive_a, off_a, 0.0)
        ) / count

    scores_nak, deltas_na4 = flattened(head, outputs)
    return jax.vmap(of_image)(scores_nak, deltas_na4, inputs["boxes"] * scale, inputs["label"])


def _by_sigmoid(scores_ak, label_a, index_a):
    """The focal loss over all classes of the anchors that are not ignored."""
    targets_ak = jax.nn.one_hot(label_a, scores_ak.shape[-1])
    loss_ak = optax.losses.sigmoid_focal_loss(scores_ak, targets_ak, alpha=ALPHA, gamma=GAMMA)
    return jnp.sum(jnp.where((index_a != IGNORED)[:, None], loss_ak, 0.0))


def _by_softmax(scores_ak, label_a, index_a):
    """The cross-entropy of the positive anchors and the hardest of the others; class 0 is the background."""
    loss_a = optax.losses.softmax_cross_entropy_with_integer_labels(scores_ak, label_a + 1)
    negative_a = hard_negatives(loss_a, label_a >= 0, index_a == BACKGROUND)
    return jnp.sum(jnp.where((label_a >= 0) | negative_a, loss_a, 0.0))


def detect(arch, outputs, height: int, width: int, spec: TrainSpec) -> Detections:
    """Return what a network's outputs for images of `height` x `width` pixels say is there, after NMS.

    `spec` has `least_score`, `most_overlap` and `suppression`.
    """
    head = arch.head
    if isinstance(head, TwoStage):
        return two_stage.detect(arch, outputs, height, width, spec)
    anchors_a4 = jnp.asarray(head.anchors(arch, height, width))

    def of_image(scores_ak, deltas_a4):
        known_ak = jax.nn.softmax(scores_ak)[:, 1:] if head.background else jax.nn.sigmoid(scores_ak)
        box_of = lambda index, _: decode(deltas_a4[index], anchors_a4[index], head.box_weights)
        return best_of(known_ak, box_of, height, width, spec)

    return jax.vmap(of_image)(*flattened(head, outputs))


def _sums(outputs, inputs, real_b, spec, arch) -> dict[str, Any]:
    class_b, box_b = _losses(outputs, inputs, spec, arch)
    return {
        "count": jnp.sum(real_b, dtype=jnp.int32),
        "loss": jnp.sum(jnp.where(real_b, class_b + spec.box_weight * box_b, 0.0)),
    }


def detected(outputs, inputs, spec, arch) -> dict[str, Any]:
    """Predictions of each image, boxes as fractions of its sides."""
    height, width = inputs["image"].shape[1:3]
    found = detect(arch, outputs, height, width, spec)
    scale = jnp.asarray([width, height, width, height], jnp.float32)
    return {"predicted": found.boxes / scale, "score": found.scores, "class": found.classes}


def _gather(outputs, inputs, spec, arch) -> dict[str, Any]:
    """Predictions and truth of each image."""
    predicted = detected(outputs, inputs, spec, arch)
    return {**predicted, "boxes": inputs["boxes"], "label": inputs["label"]}


def _means(totals: dict[str, Any]) -> dict[str, float]:
    arrays = {name: totals[name] for name in ("predicted", "score", "class", "boxes", "label")}
    images = [boxes_of(dict(zip(arrays, image))) for image in zip(*arrays.values())]
    predicted, truth = zip(*images)
    found = average_precision(predicted, truth, int(np.max(totals["label"], initial=-1)) + 1)
    return {**summary(found), "loss": float(totals["loss"] / totals["count"])}


def _turns(arch):
    return two_stage.turns(_loss) if isinstance(arch.head, TwoStage) else ()


DETECTION = Task(
    name="detection",
    metric=Metric("ap50", "AP50", "average precision at IoU 0.5"),
    fields=("boxes", "label"),
    heads=("RetinaNet", "EfficientDet", "Ssd", "TwoStage"),
    train_inputs=_train_inputs,
    eval_inputs=_eval_inputs,
    loss=_loss,
    sums=_sums,
    means=_means,
    gather=_gather,
    adapt=_adapt,
    pictures=Pictures(_gather, image_score, box_panels),
    turns=_turns,
    answer=Answer(BOX_COLUMNS, detected, said_boxes),
)
