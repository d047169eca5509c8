"""One label an image: cross-entropy over classes, top-1 and top-5 accuracy."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from scaling.arch.head import LINEAR
from scaling.data.augment import eval_transform, train_transform
from scaling.models.auxiliary import auxiliary_loss
from scaling.tasks.answers import Answer, likeliest
from scaling.tasks.losses import class_loss, in_top_k
from scaling.tasks.task import Inputs, Metric, Task


def _train_inputs(made: Inputs):
    transform = train_transform(made.augment, made.resolution, made.num_classes, made.mean, made.std)

    def inputs(fields, keys_b):
        x_nhwc, targets_bk = transform(fields["image"], fields["label"], keys_b)
        return {"image": x_nhwc, "targets": targets_bk}

    return inputs


def _eval_inputs(made: Inputs):
    transform = eval_transform(made.augment, made.resolution, made.mean, made.std)
    return lambda fields: {"image": transform(fields["image"]), "label": fields["label"]}


def _loss(apply, inputs, spec, arch):
    """The loss of smoothed targets, and that of each auxiliary classifier by its weight."""
    _check_output(spec, arch)
    targets_bk = inputs["targets"]
    logits_bk, updates = apply(inputs["image"])
    smoothed_bk = optax.losses.smooth_labels(targets_bk, spec.label_smoothing)
    of_class = class_loss(spec.class_loss, spec.margin)
    mean = lambda logits_bk: jnp.mean(of_class(logits_bk, smoothed_bk))
    loss = mean(logits_bk) + auxiliary_loss(updates, mean)
    top1 = jnp.mean(in_top_k(logits_bk, jnp.argmax(targets_bk, -1), 1), dtype=jnp.float32)
    return loss, updates, {"top1": top1}


def _check_output(spec, arch) -> None:
    """Raise ValueError where a loss of distances meets a network that answers none."""
    output = getattr(getattr(arch, "head", None), "output", LINEAR)
    if spec.class_loss != "cross_entropy" and output == LINEAR:
        raise ValueError(
            f"config.train.class_loss={spec.class_loss!r} is of distances to codes, which {getattr(arch, 'name', 'it')} "
            "does not answer: set it to 'cross_entropy', or take a network such as lenet5_1998."
        )


def _sums(logits_bk, inputs, mask_b, spec, *_) -> dict[str, Any]:
    label_b = jnp.where(mask_b, inputs["label"], 0)
    of_class = class_loss(spec.class_loss, spec.margin)
    loss_b = of_class(logits_bk, jax.nn.one_hot(label_b, logits_bk.shape[-1]))
    return {
        "count": jnp.sum(mask_b, dtype=jnp.int32),
        "top1": jnp.sum(in_top_k(logits_bk, label_b, 1) & mask_b, dtype=jnp.int32),
        "top5": jnp.sum(in_top_k(logits_bk, label_b, 5) & mask_b, dtype=jnp.int32),
        "loss": jnp.sum(jnp.where(mask_b, loss_b, 0.0)),
    }


def _means(totals: dict[str, Any]) -> dict[str, float]:
    count = totals["count"]
    return {name: float(totals[name] / count) for name in ("top1", "top5", "loss")}


def _see(outputs, *_) -> dict[str, Any]:
    return {"probability": jax.nn.softmax(outputs)}


CLASSIFICATION = Task(
    name="classification",
    metric=Metric("top1", "top-1", "accuracy", of_examples=True),
    fields=("label",),
    heads=("Head",),
    train_inputs=_train_inputs,
    eval_inputs=_eval_inputs,
    loss=_loss,
    sums=_sums,
    means=_means,
    answer=Answer(("rank", "class", "probability"), _see, likeliest, most=5),
)
