"""Take Gaussian noise off pictures: the task adds it, of `augment.noise` on pixels from 0 to 255, unrounded.

A picture of a split has the same noise in every evaluation, by its place in the split."""

from __future__ import annotations

import jax

from scaling.runs.spec import AugmentSpec
from scaling.tasks import restoration
from scaling.tasks.pictures import Pictures
from scaling.tasks.task import Inputs, Task

SEED = 0  # of the noise in evaluation
NOISE = 1  # keeps an example's noise apart from its other draws


def _train_inputs(made: Inputs):
    level = _level(made.augment)
    windows = restoration.windows(made.augment, made.resolution)

    def inputs(fields, keys_b):
        clean_nhwc = windows(fields["image"], fields["size"], keys_b)
        keys_b = jax.vmap(jax.random.fold_in, (0, None))(keys_b, NOISE)
        return {"image": clean_nhwc + level * _noise(keys_b, clean_nhwc.shape[1:]), "target": clean_nhwc}

    return inputs


def _eval_inputs(made: Inputs):
    restoration.check_plain(made.augment)
    level = _level(made.augment)

    def inputs(fields):
        clean_nhwc = restoration.whole(fields["image"], fields["size"], fields["image"].shape[1])
        keys_b = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(SEED), fields["position"])
        noisy_nhwc = clean_nhwc + level * _noise(keys_b, clean_nhwc.shape[1:])
        held = {name: fields[name] for name in ("size", "position")}
        return {"image": noisy_nhwc, "target": clean_nhwc, "shaved": 0, **held}

    return inputs


def _noise(keys_b, shape):
    return jax.vmap(lambda key: jax.random.normal(key, shape))(keys_b)


def _level(augment: AugmentSpec) -> float:
    if augment.noise <= 0:
        raise ValueError(
            f"augment.noise={augment.noise} leaves nothing to take off: set the standard deviation of the noise, on "
            "pixels from 0 to 255, for example to 25."
        )
    return augment.noise / 255


DENOISING = Task(
    name="denoising",
    metric=restoration.PSNR,
    fields=("size",),
    heads=("Reconstruction",),
    train_inputs=_train_inputs,
    eval_inputs=_eval_inputs,
    loss=restoration.loss,
    sums=restoration.sums,
    means=restoration.means,
    adapt=restoration.adapt,
    pictures=Pictures(restoration.see, restoration.score, restoration.panels),
    answer=restoration.ANSWER,
)
