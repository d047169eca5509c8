"""What tasks that restore pictures have in common: the loss, PSNR with its interval, panels.

Pixels are fractions of 255. A network's answer is the picture, or what has to be taken off its input
(`scaling.arch.picture_heads`). The peak signal-to-noise ratio is a mean over pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scaling.data.augment import SLOTS, draws_of
from scaling.runs.spec import AugmentSpec
from scaling.tasks.answers import Answer, Said
from scaling.tasks.canvas import inside, part
from scaling.tasks.intervals import by_group, margins
from scaling.tasks.task import Metric

LEAST = 1e-10  # of a mean square: a picture without an error has 100 dB
# 1 - RMSE is the fraction that laws are fitted to
PSNR = Metric(
    "psnr",
    "1 - RMSE",
    "1 - RMSE of the grey range",
    unit="dB PSNR",
    fraction=lambda psnr: 1 - 10 ** (-psnr / 20),
)


def check_plain(augment: AugmentSpec) -> None:
    """Raise ValueError for what changes pictures otherwise than by a window and a flip."""
    plain = AugmentSpec(flip=augment.flip, noise=augment.noise)
    if augment != plain:
        fields = [f.name for f in dataclasses.fields(AugmentSpec)]
        wrong = next(name for name in fields if getattr(augment, name) != getattr(plain, name))
        raise ValueError(
            f"augment.{wrong}={getattr(augment, wrong)} has no meaning for pictures to restore, of which windows at "
            f"random places are taken: leave it at {getattr(plain, wrong)}; flip mirrors them."
        )


def windows(augment: AugmentSpec, side: int):
    """Return f(canvases uint8, sizes, keys) -> windows (n, side, side, c) of pictures, perhaps mirrored."""
    check_plain(augment)

    def one(canvas_hwc, size_2, draws):
        spare_2 = jnp.maximum(size_2 - side, 0)
        start_2 = jnp.floor(draws[SLOTS["crop"]][:2] * (spare_2 + 1)).astype(jnp.int32)
        x_hwc = part(canvas_hwc, size_2, start_2, (side, side)) / 255.0
        flipped = jnp.logical_and(augment.flip, draws[SLOTS["flip"]][0] < 0.5)
        return jnp.where(flipped, x_hwc[:, ::-1], x_hwc)

    return lambda canvas_nhwc, size_n2, keys_b: jax.vmap(one)(canvas_nhwc, size_n2, draws_of(augment, keys_b))


def whole(canvas_nhwc, size_n2, side: int):
    """Return the pictures on canvases of `side`, mirrored beyond their edges."""
    place = lambda canvas, size: part(canvas, size, jnp.zeros(2, jnp.int32), (side, side))
    return jax.vmap(place)(canvas_nhwc, size_n2) / 255.0


def restored(outputs, inputs, arch):
    """The pictures that a network answers."""
    residual = getattr(getattr(arch, "head", None), "residual", False)
    return inputs["image"] - outputs["out"] if residual else outputs["out"]


def loss(apply, inputs, spec, arch):
    """The mean over windows of the mean square of their pixels' errors."""
    del spec
    outputs, updates = apply(inputs["image"])
    off_b = jnp.mean(jnp.square(restored(outputs, inputs, arch) - inputs["target"]), (1, 2, 3))
    return jnp.mean(off_b), updates, {"psnr": jnp.mean(psnr(off_b))}


def psnr(off_b):
    """The peak signal-to-noise ratio in dB of mean squares of errors, pixels in [0, 1]."""
    return -10 * jnp.log10(jnp.maximum(off_b, LEAST))


def sums(outputs, inputs, real_b, spec, arch) -> dict[str, Any]:
    """Pictures, their losses, PSNR by group; answers are cut at 0 and 1, a border of "shaved" left out."""
    del spec
    found_nhwc, target_nhwc = jnp.clip(restored(outputs, inputs, arch), 0.0, 1.0), inputs["target"]
    counts_nhw = inside(target_nhwc.shape[1:3], inputs["size"], inputs["shaved"])
    square_nhw = jnp.mean(jnp.square(found_nhwc - target_nhwc), -1)
    of_pixels = jnp.maximum(jnp.sum(counts_nhw, (1, 2)), 1)
    off_b = jnp.sum(jnp.where(counts_nhw, square_nhw, 0.0), (1, 2)) / of_pixels
    held_b2 = jnp.where(real_b[:, None], jnp.stack([jnp.ones_like(off_b), psnr(off_b)], -1), 0.0)
    return {
        "count": jnp.sum(real_b, dtype=jnp.int32),
        "psnr": by_group(held_b2, inputs["position"]),
        "loss": jnp.sum(jnp.where(real_b, off_b, 0.0)),
    }


def means(totals: dict[str, Any]) -> dict[str, float]:
    groups = totals["psnr"]
    found = {**_mean(groups.sum(0)), **margins(_mean, groups)}
    return {**found, "loss": float(totals["loss"] / totals["count"])}


def _mean(summed_2: np.ndarray) -> dict[str, float]:
    return {"psnr": float(summed_2[1] / max(summed_2[0], 1))}


def adapt(arch):
    """A colour an output, whatever the data calls its classes."""
    return arch.replace(num_classes=arch.in_channels)


def see(outputs, inputs, spec, arch) -> dict[str, Any]:
    """The input, the answer and the truth of each picture, and its size."""
    del spec
    pictures = {
        "input": inputs["image"],
        "restored": restored(outputs, inputs, arch),
        "truth": inputs["target"],
    }
    shown = {name: jnp.round(255 * jnp.clip(x, 0.0, 1.0)).astype(jnp.uint8) for name, x in pictures.items()}
    return {**shown, "size": inputs["size"]}


def alone(outputs, inputs, spec, arch) -> dict[str, Any]:
    """The answer to each picture, of which there is no truth."""
    del spec
    answer = jnp.clip(restored(outputs, inputs, arch), 0.0, 1.0)
    return {"restored": jnp.round(255 * answer).astype(jnp.uint8)}


def said(pixels_hwc: np.ndarray, seen: dict[str, Any], class_names: Sequence[str], most: int) -> Said:
    """The restored picture and its size."""
    del class_names, most
    height, width = seen["restored"].shape[:2]
    line = f"{width} x {height} pixels of {pixels_hwc.shape[1]} x {pixels_hwc.shape[0]}"
    picture = seen["restored"]
    return Said(line, [(width, height)], {"": picture[..., 0] if picture.shape[2] == 1 else picture})


ANSWER = Answer(("width", "height"), alone, said, whole=True)


def score(seen: dict[str, Any]) -> float:
    """1 - RMSE of one picture."""
    height, width = seen["size"]
    found, truth = (seen[name][:height, :width].astype(float) / 255 for name in ("restored", "truth"))
    return 1 - float(np.sqrt(np.mean(np.square(found - truth))))


def panels(pixels_hwc: np.ndarray, seen: dict[str, Any], class_names: Sequence[str]) -> dict[str, np.ndarray]:
    """The input, the answer and the truth, without the canvas around them."""
    del pixels_hwc, class_names
    height, width = seen["size"]
    side = len(seen["truth"])
    cut = lambda x: x[: height * len(x) // side, : width * len(x) // side]
    return {name: np.repeat(cut(seen[name]), 3, 2) for name in ("input", "restored", "truth")}
