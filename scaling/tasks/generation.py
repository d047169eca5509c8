"""Pictures made of noise, by a generator and a judge that learn against each other (DCGAN).

Two phases in one step, both at the parameters before it: the judge learns to tell the data's pictures from
made ones, and none of its loss reaches the generator, which learns to be taken for the data by a judge that
is held. Training FLOPs count one pass through the judge, of the three that a step makes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from scaling.arch.gan_heads import GENERATOR, JUDGE
from scaling.data.augment import displaces, draws_of, eval_transform, train_images
from scaling.runs.spec import AugmentSpec
from scaling.tasks import restoration
from scaling.tasks.pictures import Pictures
from scaling.tasks.samples import compare
from scaling.tasks.task import Inputs, Metric, Task

HALF = (0.5,)  # mean and deviation by which pixels lie in [-1, 1], as a tanh does
STREAM = 1  # which numbers of an example's key are its noise
SEED = 0  # of the noise of evaluation
SHEET = 64  # samples on the picture


def _train_inputs(made: Inputs):
    _check_plain(made.augment)
    images, latent = train_images(made.augment, made.resolution, HALF, HALF), _latent(made)

    def inputs(fields, keys_b):
        return {
            "image": images(fields["image"], draws_of(made.augment, keys_b)),
            "noise": noise(keys_b, latent),
        }

    return inputs


def _eval_inputs(made: Inputs):
    _check_plain(made.augment)
    transform, latent = eval_transform(made.augment, made.resolution, HALF, HALF), _latent(made)

    def inputs(fields):
        return {"image": transform(fields["image"]), "noise": noise_at(fields["position"], latent)}

    return inputs


def noise(keys_b, latent: int):
    """Return uniform numbers in [-1, 1), (n, latent), of each example's own key (arXiv 1511.06434 4.1)."""
    one = lambda key: jax.random.uniform(jax.random.fold_in(key, STREAM), (latent,), minval=-1.0)
    return jax.vmap(one)(keys_b)


def noise_at(position_b, latent: int):
    """Return the noise of evaluation, (n, latent), of examples by their places in a split."""
    keys_b = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(SEED), position_b)
    return noise(keys_b, latent)


def _latent(made: Inputs) -> int:
    return getattr(getattr(made.arch, "head", None), "latent", 1)


def _check_plain(augment: AugmentSpec) -> None:
    if augment.normalise != "set":
        raise ValueError(
            f"augment.normalise={augment.normalise!r} leaves pixels where no answer of the generator lies: set it to 'set'."
        )
    if changed := displaces(augment):
        raise ValueError(f"{changed} would be learnt as the data's own look: turn it off.")


def judge_loss(apply, inputs, smoothing: float = 0.0):
    """Return the judge's loss, what the network answers of the data, its statistics, the share that is right.

    It need be no surer of the data than 1 - `smoothing` (arXiv 1606.03498 section 3.4).
    """
    outputs, updates = apply(inputs["image"], noise=inputs["noise"])
    made, of_made = apply(lax.stop_gradient(outputs["out"]))
    loss_b = (1 - smoothing) * jax.nn.softplus(-outputs["judged"]) + smoothing * jax.nn.softplus(
        outputs["judged"]
    )
    loss = jnp.mean(loss_b) + jnp.mean(jax.nn.softplus(made["judged"]))
    right = jnp.mean(outputs["judged"] > 0, dtype=jnp.float32) + jnp.mean(
        made["judged"] <= 0, dtype=jnp.float32
    )
    return loss, outputs, _statistics(updates, of_made), right / 2


def generator_loss(apply, pictures_nhwc, arch):
    """Return the generator's loss: how far its pictures are from being taken for the data's.

    Not the judge's loss with a minus, which hardly slopes while the judge is right (arXiv 1406.2661, 3).
    """
    told, _ = apply(pictures_nhwc, held=lambda path: path.split("/")[0] in (*arch.stage_names, JUDGE))
    return jnp.mean(jax.nn.softplus(-told["judged"]))


def _loss(apply, inputs, spec, arch):
    judge, outputs, updates, right = judge_loss(apply, inputs, spec.label_smoothing)
    generator = generator_loss(apply, outputs["out"], arch)
    return judge + generator, updates, {"judge": judge, "generator": generator, "right": right}


def _statistics(updates, of_made):
    """Running statistics of the judge over data and made pictures alike, of the generator as they are."""
    mean = lambda one, other: (one + other) / 2
    both = {
        name: tree if name == GENERATOR else jax.tree.map(mean, tree, of_made["batch_stats"][name])
        for name, tree in updates.get("batch_stats", {}).items()
    }
    return {**updates, "batch_stats": both}


def pixels(x_nhwc):
    """Return uint8 of values in [-1, 1]."""
    return jnp.round(127.5 * (jnp.clip(x_nhwc, -1.0, 1.0) + 1)).astype(jnp.uint8)


def _sums(outputs, inputs, real_b, *_) -> dict[str, Any]:
    del outputs, inputs
    return {"count": jnp.sum(real_b, dtype=jnp.int32)}


def _gather(outputs, inputs, *_) -> dict[str, Any]:
    return {"made": pixels(outputs["out"]), "image": pixels(inputs["image"])}


def _means(totals: dict[str, Any]) -> dict[str, float]:
    found = compare(totals["image"], totals["made"])
    return {**found, "loss": 1 - found["coverage"]}


def _see(outputs, inputs, spec, arch) -> dict[str, Any]:
    del inputs, spec, arch
    return {"made": pixels(outputs["out"])}


def _panels(pixels_hwc: np.ndarray, seen: dict[str, Any], class_names) -> dict[str, np.ndarray]:
    del pixels_hwc, class_names
    return {"made": panel(seen["made"])}


def panel(made_hwc: np.ndarray) -> np.ndarray:
    """A picture in colours, also where it is grey."""
    return np.repeat(made_hwc, 3, 2) if made_hwc.shape[-1] == 1 else made_hwc


GENERATION = Task(
    name="generation",
    metric=Metric("coverage", "coverage", "share of the data near a sample"),
    fields=("label",),
    heads=("Adversarial",),
    train_inputs=_train_inputs,
    eval_inputs=_eval_inputs,
    loss=_loss,
    sums=_sums,
    means=_means,
    gather=_gather,
    adapt=restoration.adapt,
    told=lambda inputs, *_: {"noise": inputs["noise"]},
    pictures=Pictures(_see, lambda seen: 0.0, _panels, sheet=SHEET),
)
