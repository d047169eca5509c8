"""Heads in two stages: modules of the values in `scaling.arch.region_heads`, and how anchors become boxes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from scaling.arch.arch import Arch
from scaling.arch.region_heads import TwoStage
from scaling.models.bifpn import Separable
from scaling.models.box_heads import SMALL, by_anchor, levels_of
from scaling.models.boxes import clip, decode
from scaling.models.layers import BatchNorm, Convolution, Settings
from scaling.models.nms import nms
from scaling.models.region_stages import MODULES as STAGES
from scaling.models.region_stages import MaskModule

DRAWN = "drawn"  # the output with the boxes whose masks are drawn
LEAST_SIDE = 1e-3  # pixels: smaller boxes are none, as in torchvision

# From the outputs so far, whose first axis is images, to boxes (n, r, 4) in pixels
Regions = Callable[[Mapping[str, Any]], Any]


def locate(
    arch: Arch,
    maps: Sequence[Any],
    shape,
    train: bool,
    settings: Settings,
    keys_b,
    regions: Regions | Any | None = None,
    drawn: Regions | None = None,
) -> dict[str, Any]:
    """Return the float32 outputs of both stages, for images of `shape`, from the maps that the head reads.

    `regions` are boxes (n, r, 4) in pixels for the second stage, or a function that makes them of the outputs
    of the first; None: those that the first stage proposes. `drawn` makes of the outputs of both the boxes
    whose masks are drawn, which then are an output "drawn" (None: of the network's own boxes the likeliest,
    of others all). To be called within a compact method: the module becomes the caller's.
    """
    del keys_b
    head, (height, width) = arch.head, shape[1:3]
    assert isinstance(head, TwoStage)
    own = regions is None
    chosen = (lambda found: proposals(arch, found, height, width)) if own else regions
    strides = head.neck.strides(arch.map_strides)[: len(maps)]
    module = TwoStageModule(head, arch.num_classes, strides, settings, name="decoder")
    if drawn is None and head.masks:
        count = head.masks.regions if own else None
        drawn = lambda found: found["proposals"][:, :count]
        found = module(tuple(maps), train, chosen if callable(chosen) else lambda _: chosen, drawn)
        return {name: value for name, value in found.items() if name != DRAWN}
    return module(tuple(maps), train, chosen if callable(chosen) else lambda _: chosen, drawn)


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
    def __call__(self, maps, train: bool, regions: Regions, drawn: Regions | None) -> dict[str, Any]:
        value, settings = self.value, self.settings
        levels = levels_of(value.neck, maps, train, settings)
        found, features = RegionModule(value, settings, name="rpn")(levels)
        boxes_nr4 = lax.stop_gradient(regions(found)).astype(jnp.float32)
        read = levels[: len(maps)]
        if value.attention:
            read = [Gate(settings, name=f"attention_{i}")(x, features[i], train) for i, x in enumerate(read)]
        stage = STAGES[type(value.box)](value.box, self.num_classes, self.strides, settings, name="box")
        by_image = lambda told: {
            name: x.astype(jnp.float32).reshape(boxes_nr4.shape[0], -1, *x.shape[1:])
            for name, x in told.items()
        }
        found = {**found, "proposals": boxes_nr4} | by_image(stage(read, boxes_nr4, train))
        if value.masks and drawn:
            drawn_nm4 = lax.stop_gradient(drawn(found)).astype(jnp.float32)
            masks = MaskModule(value.masks, self.num_classes, self.strides, settings, name="mask")
            found |= {DRAWN: drawn_nm4} | by_image(masks(read, drawn_nm4, train))
        return found


class Gate(nn.Module):
    """A level times the sigmoid of the first stage's features, through a 1x1 convolution and batch norm."""

    settings: Settings

    @nn.compact
    def __call__(self, x, features, train: bool):
        gate = Convolution(x.shape[-1], 1, self.settings, name="conv")(features)
        return x * nn.sigmoid(BatchNorm(self.settings, name="norm")(gate, train))


class RegionModule(nn.Module):
    """Whether an anchor holds something, and its box then, for each anchor of all levels; their features."""

    value: TwoStage
    settings: Settings

    @nn.compact
    def __call__(self, levels: Sequence[Any]) -> tuple[dict[str, Any], list[Any]]:
        value, settings, width = self.value, self.settings, levels[0].shape[-1]
        anchors, features = value.num_anchors[0], []
        conv = lambda features, kernel, name: Convolution(
            features, kernel, settings, use_bias=True, law=SMALL, name=name
        )
        if value.separable is None:
            convs = [conv(width, 3, f"conv_{i}") for i in range(value.repeats)]
        else:
            form = value.separable, settings
            convs = [Separable(*form, kernel=5, name=f"conv_{i}") for i in range(value.repeats)]
        predictions = {
            "objectness": conv(anchors, 1, "cls_logits"), "pred_bbox_deltas": conv(4 * anchors, 1, "bbox_pred")
        }  # fmt: skip
        parts: dict[str, list[Any]] = {name: [] for name in predictions}
        for x in levels:
            for layer in convs:
                x = settings.activate(layer(x))
            features.append(x)
            for name, predict in predictions.items():
                parts[name].append(by_anchor(predict(x), anchors))
        found = {name: jnp.concatenate(each, 1).astype(jnp.float32) for name, each in parts.items()}
        return found, features


MODULES: dict[type, Any] = {TwoStage: TwoStageModule}
