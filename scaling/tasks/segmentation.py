"""A class for every pixel: cross-entropy over pixels, accuracy of pixels, of classes, and mean IoU.

Masks are uint8 (n, h, w) of any size; VOID pixels count for nothing. Metrics are taken at the mask's own
size, to which scores are resized; beside each stands half of its 95 % interval over images."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scaling.data.augment import check_moves, check_uncropped, draws_of, eval_transform, train_images
from scaling.data.masks import VOID
from scaling.data.placement import move_mask, placement
from scaling.models.map_heads import resize
from scaling.tasks.answers import Answer
from scaling.tasks.intervals import by_group, margins
from scaling.tasks.mask_panels import SHARE_COLUMNS, mask_panels, said_shares
from scaling.tasks.pictures import Pictures
from scaling.tasks.task import Inputs, Metric, Task


def _train_inputs(made: Inputs):
    augment, side = made.augment, made.resolution
    images = train_images(augment, side, made.mean, made.std)
    check_moves(augment, "masks")

    def inputs(fields, keys_b):
        draws_bu = draws_of(augment, keys_b)
        move = lambda mask_hw, draws: move_mask(mask_hw, placement(draws, augment, side), side)
        masks_nhw = jax.vmap(move)(fields["mask"], draws_bu)
        return {"image": images(fields["image"], draws_bu), "mask": masks_nhw}

    return inputs


def _eval_inputs(made: Inputs):
    check_uncropped(made.augment, "pixels")
    transform = eval_transform(made.augment, made.resolution, made.mean, made.std)

    def inputs(fields):
        held = {name: fields[name] for name in ("mask", "position")}
        return {"image": transform(fields["image"]), **held}

    return inputs


def _loss(apply, inputs, spec, *_):
    """The mean over images of the mean over their pixels; an image of void alone counts 0."""
    outputs, updates = apply(inputs["image"])
    scores_nhwk, known_nhw = _at(outputs["out"], inputs["mask"])
    loss_nhw = _cross_entropy(scores_nhwk, inputs["mask"], spec.label_smoothing)
    right_nhw = jnp.argmax(scores_nhwk, -1) == inputs["mask"]
    return jnp.mean(_over(loss_nhw, known_nhw)), updates, {"pa": jnp.mean(_over(right_nhw, known_nhw))}


def _sums(outputs, inputs, real_b, *_) -> dict[str, Any]:
    """Examples, their losses, and pixels by (group of images, truth, prediction)."""
    scores_nhwk, known_nhw = _at(outputs["out"], inputs["mask"])
    known_nhw = known_nhw & real_b[:, None, None]
    confusion_bkk = jax.vmap(_confusion, (0, 0, 0))(scores_nhwk, inputs["mask"], known_nhw)
    loss_b = _over(_cross_entropy(scores_nhwk, inputs["mask"], 0.0), known_nhw)
    return {
        "count": jnp.sum(real_b, dtype=jnp.int32),
        "confusion": by_group(confusion_bkk, inputs["position"]),
        "loss": jnp.sum(jnp.where(real_b, loss_b, 0.0)),
    }


def _confusion(scores_hwk, mask_hw, known_hw):
    """Pixels of one image by (truth, prediction)."""
    classes = scores_hwk.shape[-1]
    truth = jnp.where(known_hw, mask_hw.astype(jnp.int32), 0)
    pairs = truth * classes + jnp.argmax(scores_hwk, -1).astype(jnp.int32)
    counted = jax.ops.segment_sum(known_hw.astype(jnp.int32).ravel(), pairs.ravel(), classes**2)
    return counted.reshape(classes, classes)


def _means(totals: dict[str, Any]) -> dict[str, float]:
    groups = totals["confusion"]
    found = {**of_confusion(groups.sum(0)), **margins(of_confusion, groups)}
    return {**found, "loss": float(totals["loss"] / totals["count"])}


def of_confusion(confusion: np.ndarray) -> dict[str, float]:
    """Pixel accuracy, mean accuracy and mean IoU over the classes that occur, from [truth, prediction]."""
    right, truth, predicted = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    union = truth + predicted - right
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, iou = right / truth, right / union
    return {
        "miou": float(np.mean(iou[union > 0])) if np.any(union) else 0.0,
        "pa": float(right.sum() / max(1, confusion.sum())),
        "mpa": float(np.mean(recall[truth > 0])) if np.any(truth) else 0.0,
    }


def _see(outputs, inputs, *_) -> dict[str, Any]:
    """Masks, and the classes predicted at their size."""
    scores_nhwk, _ = _at(outputs["out"], inputs["mask"])
    return {"mask": inputs["mask"], "predicted": jnp.argmax(scores_nhwk, -1).astype(jnp.uint8)}


def _scores(outputs, *_) -> dict[str, Any]:
    return {"scores": outputs["out"]}


def _score(seen: dict[str, Any]) -> float:
    """The mean IoU of one image, over the classes that occur in it."""
    known = seen["mask"] != VOID
    truth, predicted = (seen[name][known].astype(int) for name in ("mask", "predicted"))
    classes = 1 + max(truth.max(initial=0), predicted.max(initial=0))
    counted = np.bincount(truth * classes + predicted, minlength=classes**2)
    return of_confusion(counted.reshape(classes, classes))["miou"]


def _at(scores_nhwk, mask_nhw):
    """Scores at the mask's size, and which of its pixels count."""
    return resize(scores_nhwk, mask_nhw.shape[1:3]), mask_nhw != VOID


def _cross_entropy(scores_nhwk, mask_nhw, smoothing: float):
    """The cross-entropy of each pixel, in nats; of a void pixel that of class 0."""
    logs_nhwk = jax.nn.log_softmax(scores_nhwk)
    truth = jnp.where(mask_nhw == VOID, 0, mask_nhw).astype(jnp.int32)
    own_nhw = jnp.take_along_axis(logs_nhwk, truth[..., None], -1)[..., 0]
    return -((1 - smoothing) * own_nhw + smoothing * jnp.mean(logs_nhwk, -1))


def _over(values_nhw, known_nhw):
    """The mean over each image's pixels that count; 0 without any."""
    counts_b = jnp.sum(known_nhw, (1, 2))
    return jnp.sum(jnp.where(known_nhw, values_nhw, 0.0), (1, 2)) / jnp.maximum(counts_b, 1)


SEGMENTATION = Task(
    name="segmentation",
    metric=Metric("miou", "mIoU", "mean IoU"),
    fields=("mask",),
    heads=("Fcn", "Aspp", "LrAspp", "UNet"),
    train_inputs=_train_inputs,
    eval_inputs=_eval_inputs,
    loss=_loss,
    sums=_sums,
    means=_means,
    pictures=Pictures(_see, _score, mask_panels),
    answer=Answer(SHARE_COLUMNS, _scores, said_shares),
)
