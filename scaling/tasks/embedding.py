"""Vectors that are near for examples of one class, for classes that are told by one example: faces,
characters.

`train.embedding_loss` names the loss; one of pairs or triplets sees the examples of all devices, of one
micro-batch. Evaluation is by one-shot trials and by verification of pairs of a split, by all thresholds and
by one chosen on other classes. Classes that training has not seen have no loss: in its place stands the share
of pairs that are in the wrong order, 1 - AUC."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from scaling.data.augment import draws_of, eval_transform, train_images
from scaling.tasks.answers import Answer, Said
from scaling.tasks.embedding_losses import MARGINS, OF_CLASSES, OF_PAIRS
from scaling.tasks.intervals import margins
from scaling.tasks.one_shot import trials, verification, verified
from scaling.tasks.task import AXIS, Inputs, Metric, Task

FIELDS = ("label", "episode")  # that evaluation reads where an example has them


def _train_inputs(made: Inputs):
    if made.augment.mixup or made.augment.cutmix:
        raise ValueError(
            f"augment.mixup={made.augment.mixup} and augment.cutmix={made.augment.cutmix} mix classes, which have to be "
            "told apart here: set both to 0."
        )
    images = train_images(made.augment, made.resolution, made.mean, made.std)

    def inputs(fields, keys_b):
        return {"image": images(fields["image"], draws_of(made.augment, keys_b)), "label": fields["label"]}

    return inputs


def _eval_inputs(made: Inputs):
    transform = eval_transform(made.augment, made.resolution, made.mean, made.std)

    def inputs(fields):
        held = {name: fields[name] for name in FIELDS if name in fields}
        return {"image": transform(fields["image"]), **held}

    return inputs


def _loss(apply, inputs, spec, *_):
    outputs, updates = apply(inputs["image"])
    name, label_b = spec.embedding_loss, inputs["label"]
    _check_head(name, outputs)
    margin = MARGINS[name] if spec.margin is None else spec.margin
    if name in OF_CLASSES:
        loss_b = OF_CLASSES[name](outputs, label_b, margin, spec.scale)
    else:
        vectors_nd, label_n = lax.all_gather((outputs["embedding"], label_b), AXIS, tiled=True)
        loss_b = OF_PAIRS[name](outputs["embedding"], label_b, vectors_nd, label_n, margin)
    return jnp.mean(loss_b), updates, {}


def _check_head(name: str, outputs) -> None:
    """Raise ValueError where the network lacks the classes that a loss needs, or has some that it would not
    train."""
    if (name in OF_CLASSES) != ("cosines" in outputs):
        head = "embedding_classes" if name in OF_CLASSES else "embedding"
        raise ValueError(
            f"config.train.embedding_loss={name!r} needs a head {'with' if name in OF_CLASSES else 'without'} vectors of "
            f"classes: set config.model.head={head!r}."
        )


def _sums(outputs, inputs, real_b, *_) -> dict[str, Any]:
    del outputs, inputs
    return {"count": jnp.sum(real_b, dtype=jnp.int32)}


def _gather(outputs, inputs, *_) -> dict[str, Any]:
    return {"embedding": outputs["embedding"], **{name: inputs[name] for name in FIELDS if name in inputs}}


def _means(totals: dict[str, Any]) -> dict[str, float]:
    vectors_nd, labels = totals["embedding"].astype(float), totals["label"]
    counted = trials(vectors_nd, labels, totals.get("episode"))
    auc = verification(vectors_nd, labels)
    pairs = {"auc": auc, "verified": verified(vectors_nd, labels), "loss": 1 - auc}
    return {**_accuracy(counted.sum(0)), **margins(_accuracy, counted), **pairs}


def _accuracy(counted_2: np.ndarray) -> dict[str, float]:
    return {"one_shot": float(counted_2[1] / max(counted_2[0], 1))}


def _vectors(outputs, *_) -> dict[str, Any]:
    return {"embedding": outputs["embedding"]}


def _say(pixels_hwc, seen: dict[str, Any], class_names, most: int) -> Said:
    del pixels_hwc, class_names, most
    vector = seen["embedding"]
    return Said(f"an embedding of {len(vector)} values", [(" ".join(f"{value:.6f}" for value in vector),)])


EMBEDDING = Task(
    name="embedding",
    metric=Metric("one_shot", "one-shot", "one-shot accuracy"),
    fields=("label",),
    heads=("Embedding",),
    train_inputs=_train_inputs,
    eval_inputs=_eval_inputs,
    loss=_loss,
    sums=_sums,
    means=_means,
    gather=_gather,
    answer=Answer(("embedding",), _vectors, _say),
)
