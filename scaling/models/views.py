"""What a trained classifier looks at: gradients by a rule, occlusion, Grad-CAM and feature maps.

A rule is another activation in the architecture, of equal values: no network is written twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from scaling.arch.arch import Arch, Sized
from scaling.arch.custom import Custom
from scaling.arch.head import Head
from scaling.models.backbone import StageMaps
from scaling.models.network import StageModule, build


def ruled(arch: Sized, rule: str) -> Arch:
    """Return the network whose activations pass gradients by a rule of `scaling.models.activations`.

    Values stay. ValueError for a user's own network, whose activations are its own.
    """
    if isinstance(arch, Custom):
        raise ValueError(  # noqa: TRY004 - as for any other network that a command names
            f"{arch.name} is a network of your own, whose activations cannot be given the rule {rule!r}: take "
            "another view."
        )

    def changed(stage):
        act = getattr(stage.block, "act", None)
        if not isinstance(act, str) or not act:
            return stage
        return dataclasses.replace(stage, block=dataclasses.replace(stage.block, act=f"{rule}:{act}"))

    stem, stages = (tuple(map(changed, part)) for part in (arch.stem, arch.stages))
    return arch.replace(stem=stem, stages=stages, activation=f"{rule}:{arch.activation}")


def check_classifies(arch: Sized) -> None:
    """Raise ValueError where the network does not score classes of whole images."""
    if not isinstance(arch, Custom) and not isinstance(arch.head, Head):
        raise ValueError(f"{arch.name} answers for every place of an image: only classifiers have views.")  # noqa: TRY004


def likeliest(arch: Sized, variables: Any, x_nhwc: Any) -> np.ndarray:
    """Return int[n], the class that each image is taken for."""
    run = jax.jit(lambda v, x: jnp.argmax(build(arch).apply(v, x, train=False), -1))
    return np.asarray(run(variables, x_nhwc))


def gradient(arch: Sized, variables: Any, x_nhwc: Any, class_n: Any, rule: str = "") -> np.ndarray:
    """Return (n, h, w, c), the gradient of each image's own class score by its pixels.

    Without a `rule` the saliency of arXiv 1312.6034, else guided backpropagation or a deconvolution.
    """
    net = build(ruled(arch, rule) if rule else arch)

    @jax.jit
    def run(variables, x_nhwc, class_n):
        scores = lambda x: jnp.sum(_own(net.apply(variables, x, train=False), class_n))
        return jax.grad(scores)(x_nhwc)

    return np.asarray(run(variables, jnp.asarray(x_nhwc, jnp.float32), jnp.asarray(class_n)))


def occlusion(
    arch: Sized, variables: Any, x_nhwc: Any, class_n: Any, side: int, stride: int, fill: float = 0.0
) -> np.ndarray:
    """Return (n, rows, columns): the probability of each image's class with a square hidden there.

    Squares of `side` pixels begin every `stride` pixels, the first half outside; they are set to `fill`, by
    default the mean colour. Source: arXiv 1311.2901 section 4.2.
    """
    net, (_, height, width, _) = build(arch), x_nhwc.shape
    rows, columns = (np.arange(0, size, stride) - side // 2 for size in (height, width))

    @jax.jit
    def run(variables, x_nhwc, first_yx):
        inside = [
            (np.arange(size) >= first) & (np.arange(size) < first + side)
            for size, first in zip((height, width), first_yx)
        ]
        hidden = (inside[0][:, None] & inside[1][None, :])[..., None]
        logits_nk = net.apply(variables, jnp.where(hidden, fill, x_nhwc), train=False)
        return _own(jax.nn.softmax(logits_nk), jnp.asarray(class_n))

    x_nhwc = jnp.asarray(x_nhwc, jnp.float32)
    found = [[run(variables, x_nhwc, jnp.array([y, x])) for x in columns] for y in rows]
    return np.moveaxis(np.asarray(found), -1, 0)


def feature_maps(arch: Sized, variables: Any, x_nhwc: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name of each stage and its maps, (n, h, w, c); ValueError for a user's own network."""
    if isinstance(arch, Custom):
        raise ValueError(f"{arch.name} is a network of your own, which tells none of its stages.")  # noqa: TRY004
    maps = jax.jit(lambda v, x: StageMaps(arch).apply(v, x, train=False))(variables, x_nhwc)
    yield from zip(arch.stage_names, map(np.asarray, maps))


def grad_cam(arch: Sized, variables: Any, x_nhwc: Any, class_n: Any) -> np.ndarray:
    """Return (n, h, w): how much each place of the last stage's map speaks for the image's class.

    Source: arXiv 1610.02391 section 3.
    """
    (name, map_nhwc) = list(feature_maps(arch, variables, x_nhwc))[-1]
    net = build(arch)

    def scores(variables, x_nhwc, class_n, added_nhwc):
        def moved(call, args, kwargs, context):
            out = call(*args, **kwargs)
            stage = isinstance(context.module, StageModule) and context.module.name == name
            if stage and context.method_name == "__call__":
                return (*out[:-1], out[-1] + added_nhwc) if isinstance(out, tuple) else out + added_nhwc
            return out

        with nn.intercept_methods(moved):
            return jnp.sum(_own(net.apply(variables, x_nhwc, train=False), class_n))

    zeros = jnp.zeros_like(map_nhwc)
    slope_nhwc = jax.jit(jax.grad(scores, argnums=3))(variables, x_nhwc, jnp.asarray(class_n), zeros)
    weight_nc = jnp.mean(slope_nhwc, (1, 2), keepdims=True)
    return np.asarray(jnp.maximum(jnp.sum(weight_nc * map_nhwc, -1), 0))


def _own(values_nk: Any, class_n: Any) -> Any:
    """The value of each example's own class."""
    return jnp.take_along_axis(values_nk, class_n[:, None], axis=-1)[:, 0]
