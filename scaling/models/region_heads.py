"""Heads in two stages: modules of the values in `scaling.arch.region_heads`, and how anchors become boxes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from scaling.arch.arch import Arch
from scaling.arch.region_heads import BoxStage, MaskStage, TwoStage
from scaling.models.box_heads import SMALL, by_anchor, levels_of
from scaling.models.boxes import clip, decode
from scaling.models.initializers import ZEROS, Law, parameter
from scaling.models.layers import BatchNorm, Convolution, Settings
from scaling.models.map_heads import to_space
from scaling.models.nms import nms
from scaling.models.pointwise import pointwise
from scaling.models.regions import pyramid_align

LEAST_SIDE = 1e-3  # pixels: smaller boxes are none, as in torchvision
SMALLER = Law("normal", 0.001)  # of a prediction of boxes: arXiv 1504.08083 section 2.3

# From the outputs of the first stage to boxes (n, r, 4) in pixels
Regions = Callable[[Mapping[str, Any]], Any]


def locate(
    arch: Arch,
    maps: Sequence[Any],
    shape,
    train: bool,
    settings: Settings,
    keys_b,
    regions: Regions | Any | None = None,
) -> dict[str, Any]:
    """Return the float32 outputs of both stages, for images of `shape`, from the maps that the head reads.

    `regions` are boxes (n, r, 4) in pixels for the second stage, or a function that makes them of the outputs
    of the first; None: those that the first stage proposes. To be called within a compact method: the module
    becomes the caller's.
    """
    del keys_b
    head, (height, width) = arch.head, shape[1:3]
    assert isinstance(head, TwoStage)
    own = regions is None
    chosen = (lambda found: proposals(arch, found, height, width)) if own else regions
    strides = head.neck.strides(arch.map_strides)[: len(maps)]
    module = TwoStageModule(head, arch.num_classes, strides, settings, name="decoder")
    return module(tuple(maps), train, chosen if callable(chosen) else lambda _: chosen, own)


def proposals(arch: Arch, found: Mapping[str, Any], height: int, width: int) -> Any:
    """Return the boxes (n, r, 4) that the first stage's outputs propose, likeliest first (no area: none)."""
    head = arch.head
    assert isinstance(head, TwoStage)
    anchors_a4 = jnp.asarray(head.anchors(arch, height, width))
    sides = [level.rows * level.columns for level in head.levels(arch, height, width)]
    counts = [side * anchors for side, anchors in zip(sides, head.num_anchors)]
    starts = np.cumsum([0, *counts[:-1]])
    level_c = np.repeat(np.arange(len(counts)), [min(head.candidates, count) for count in counts])

    def of_image(scores_a, deltas_a4):
        parts = [
            start + lax.top_k(scores_a[start : start + count], min(head.candidates, count))[1]
            for start, count in zip(starts, counts)
        ]
        best_c = jnp.concatenate(parts)
        boxes_c4 = clip(decode(deltas_a4[best_c], anchors_a4[best_c]), height, width)
        seen_c = jnp.all(boxes_c4[:, 2:] - boxes_c4[:, :2] >= LEAST_SIDE, 1)
        scores_c = jnp.where(seen_c, scores_a[best_c], -jnp.inf)
        kept_c = nms(boxes_c4, scores_c, jnp.asarray(level_c), head.overlap)
        scores_r, best_r = lax.top_k(jnp.where(kept_c, scores_c, -jnp.inf), head.regions(counts))
        return jnp.where(scores_r[:, None] > -jnp.inf, boxes_c4[best_r], 0.0)

    return jax.vmap(of_image)(found["objectness"][..., 0], found["pred_bbox_deltas"])


class TwoStageModule(nn.Module):
    """The first stage over all levels, the second over boxes of those that stand for the backbone's maps."""

    value: TwoStage
    num_classes: int
    strides: tuple[int, ...]
    settings: Settings

    @nn.compact
    def __call__(self, maps, train: bool, regions: Regions, own: bool) -> dict[str, Any]:
        value, settings = self.value, self.settings
        levels = levels_of(value.neck, maps, train, settings)
        found = RegionModule(value, settings, name="rpn")(levels)
        boxes_nr4 = lax.stop_gradient(regions(found)).astype(jnp.float32)
        read = levels[: len(maps)]
        outputs = {**found, "proposals": boxes_nr4}
        grids = _pooled(read, boxes_nr4, self.strides, value.box.grid)
        told = BoxModule(value.box, self.num_classes, settings, name="box")(grids, train)
        if value.masks:
            drawn_nr4 = boxes_nr4[:, : value.masks.regions] if own else boxes_nr4
            grids = _pooled(read, drawn_nr4, self.strides, value.masks.grid)
            told |= MaskModule(value.masks, self.num_classes, settings, name="mask")(grids)
        by_image = lambda x: x.astype(jnp.float32).reshape(len(boxes_nr4), -1, *x.shape[1:])
        return outputs | {name: by_image(x) for name, x in told.items()}


class RegionModule(nn.Module):
    """Whether an anchor holds something, and the box that it is of then, for each anchor of all levels."""

    value: TwoStage
    settings: Settings

    @nn.compact
    def __call__(self, levels: Sequence[Any]) -> dict[str, Any]:
        value, settings, width = self.value, self.settings, levels[0].shape[-1]
        anchors = value.num_anchors[0]
        conv = lambda features, kernel, name: Convolution(
            features, kernel, settings, use_bias=True, law=SMALL, name=name
        )
        convs = [conv(width, 3, f"conv_{i}") for i in range(value.repeats)]
        predictions = {
            "objectness": conv(anchors, 1, "cls_logits"), "pred_bbox_deltas": conv(4 * anchors, 1, "bbox_pred")
        }  # fmt: skip
        parts: dict[str, list[Any]] = {name: [] for name in predictions}
        for x in levels:
            for layer in convs:
                x = settings.activate(layer(x))
            for name, predict in predictions.items():
                parts[name].append(by_anchor(predict(x), anchors))
        return {name: jnp.concatenate(each, 1).astype(jnp.float32) for name, each in parts.items()}


class BoxModule(nn.Module):
    """Grids (r, side, side, c) -> {"class_logits": (r, classes), "box_regression": (r, 4 * classes)}."""

    value: BoxStage
    num_classes: int
    settings: Settings

    @nn.compact
    def __call__(self, x, train: bool) -> dict[str, Any]:
        value, settings = self.value, self.settings
        for i, width in enumerate(value.convs):
            x = Convolution(width, 3, settings, use_bias=not value.norm, name=f"conv_{i}")(x)
            norm = BatchNorm(settings, act=True, name=f"norm_{i}") if value.norm else None
            x = norm(x, train) if norm else settings.activate(x)
        for i, width in enumerate(value.hidden):
            form = width, x.shape[1], settings
            x = Convolution(*form, use_bias=True, pad=0, fan="in", name=f"hidden_{i}")(x)
            x = settings.activate(x)
        found = {}
        for name, outputs, law in (
            ("class_logits", self.num_classes, SMALL),
            ("box_regression", 4 * self.num_classes, SMALLER),
        ):
            found[name] = Convolution(outputs, 1, settings, use_bias=True, law=law, name=name)(x)[:, 0, 0]
        return found


class MaskModule(nn.Module):
    """Grids (r, side, side, c) -> {"mask_logits": (r, 2 * side, 2 * side, classes)}."""

    value: MaskStage
    num_classes: int
    settings: Settings

    @nn.compact
    def __call__(self, x) -> dict[str, Any]:
        settings = self.settings
        for i, width in enumerate(self.value.convs):
            x = settings.activate(Convolution(width, 3, settings, use_bias=True, name=f"conv_{i}")(x))
        x = settings.activate(Doubling(self.value.width, settings, name="double")(x))
        form = self.num_classes, 1, settings
        return {"mask_logits": Convolution(*form, use_bias=True, fan="in", name="mask_logits")(x)}


class Doubling(nn.Module):
    """A 2x2 transposed convolution of stride 2: every pixel becomes four."""

    features: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc):
        channels = x_nhwc.shape[-1]
        law = Law("normal", math.sqrt(2 / channels))
        kernel = parameter(self, "kernel", (2, 2, self.features, channels), law)  # the peers' order, turned
        bias = parameter(self, "bias", (self.features,), ZEROS)
        kernel_cf = kernel.transpose(3, 0, 1, 2).reshape(channels, -1).astype(self.settings.dtype)
        x = to_space(pointwise(x_nhwc.astype(self.settings.dtype), kernel_cf))
        return x + bias.astype(x.dtype)


def _pooled(levels: Sequence[Any], boxes_nr4, strides: Sequence[int], grid: int) -> Any:
    """The grids of all boxes of all images, (n * r, grid, grid, c)."""
    grids = jax.vmap(lambda maps, boxes_r4: pyramid_align(maps, boxes_r4, strides, grid))(levels, boxes_nr4)
    return grids.reshape(-1, *grids.shape[2:])


MODULES: dict[type, Any] = {TwoStage: TwoStageModule}
