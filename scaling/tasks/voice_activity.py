"""Which frames of a stream are voice: an example is a picture of frames by one column, its channels bands.

Training takes a window of `model.resolution` frames at a random place, with `augment.gain` through a random
equaliser, as rooms and microphones are; evaluation takes the whole stream. The metric is the area under the
ROC curve of all frames of a split."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from scaling.data.augment import SLOTS, draws_of, normalise
from scaling.runs.ranges import check_augment
from scaling.runs.spec import AugmentSpec
from scaling.tasks.roc import area_under_roc
from scaling.tasks.task import Inputs, Metric, Task

STEPS = 2  # of a frame's numbers a decibel
OWN = 2 / 3  # of the equaliser's gain, that each band has by itself


def _train_inputs(made: Inputs):
    _check_plain(made.augment)
    check_augment(made.augment)

    def one(frames_t1c, voice_t1, draws, key):
        spare = len(frames_t1c) - made.resolution
        start = jnp.floor(draws[SLOTS["crop"]][0] * (spare + 1)).astype(jnp.int32)
        cut = lambda x: lax.dynamic_slice_in_dim(x, start, made.resolution)
        heard_t1c = cut(frames_t1c).astype(jnp.float32)
        if made.augment.gain:
            heard_t1c += STEPS * equaliser(key, frames_t1c.shape[-1], made.augment.gain)
        return {"image": normalise(heard_t1c, made.mean, made.std), "mask": cut(voice_t1)}

    return lambda fields, keys_b: jax.vmap(one)(
        fields["image"], fields["mask"], draws_of(made.augment, keys_b), keys_b
    )


def equaliser(key, bands: int, gain: float) -> Any:
    """Return what is added to each band, in decibels, (bands,): a level, a tilt, and each band's own."""
    draws = jax.random.normal(jax.random.fold_in(key, 1), (bands + 2,))
    return gain * (draws[0] + draws[1] * jnp.linspace(-1, 1, bands) + OWN * draws[2:])


def _eval_inputs(made: Inputs):
    _check_plain(made.augment)
    return lambda fields: {
        "image": normalise(fields["image"].astype(jnp.float32), made.mean, made.std), "mask": fields["mask"]
    }  # fmt: skip


def _check_plain(augment: AugmentSpec) -> None:
    plain = AugmentSpec(gain=augment.gain)
    for name in (field.name for field in dataclasses.fields(augment)):
        if getattr(augment, name) != getattr(plain, name):
            raise ValueError(
                f"augment.{name}={getattr(augment, name)} is of images, not of sequences: leave it at "
                f"{getattr(plain, name)}."
            )


def _entropy(outputs, inputs):
    """The cross-entropy of each stream, a mean over its frames."""
    loss_nt1 = optax.losses.sigmoid_binary_cross_entropy(
        outputs["out"][..., 0], inputs["mask"].astype(jnp.float32)
    )
    return jnp.mean(loss_nt1, (1, 2))


def _loss(apply, inputs, *_):
    outputs, updates = apply(inputs["image"])
    right = (outputs["out"][..., 0] > 0) == (inputs["mask"] > 0)
    return jnp.mean(_entropy(outputs, inputs)), updates, {"right": jnp.mean(right, dtype=jnp.float32)}


def _sums(outputs, inputs, real_b, *_) -> dict[str, Any]:
    loss_b = jnp.where(real_b, _entropy(outputs, inputs), 0.0)
    return {"count": jnp.sum(real_b, dtype=jnp.int32), "loss": jnp.sum(loss_b)}


def _gather(outputs, inputs, *_) -> dict[str, Any]:
    return {"score": outputs["out"][..., 0], "mask": inputs["mask"]}


def _means(totals: dict[str, Any]) -> dict[str, float]:
    scores, truth = totals["score"].ravel(), totals["mask"].ravel() > 0
    right = float(np.mean((scores > 0) == truth))
    return {
        "auc": area_under_roc(scores, truth),
        "right": right,
        "loss": float(totals["loss"] / totals["count"]),
    }


VOICE_ACTIVITY = Task(
    name="voice_activity",
    metric=Metric("auc", "AUC", "area under the ROC curve"),
    fields=("mask",),
    heads=("Reconstruction",),
    train_inputs=_train_inputs,
    eval_inputs=_eval_inputs,
    loss=_loss,
    sums=_sums,
    means=_means,
    gather=_gather,
    adapt=lambda arch: arch.replace(num_classes=1),
)
