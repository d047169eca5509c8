"""What tells the boxes of a detector in two stages: modules of the values in `scaling.arch.region_stages`.

Each takes levels (n, h, w, c), finest first, and boxes (n, r, 4) in pixels, and gives arrays whose first axis
is n * r, "class_logits" and "box_regression"; the latter are one box, or one for each class.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from scaling.arch.region_stages import BoxStage, LightHead, MaskStage, ScoreMaps, SpatialPyramid
from scaling.models.box_heads import SMALL
from scaling.models.initializers import ZEROS, Law, parameter
from scaling.models.layers import BatchNorm, Convolution, Settings
from scaling.models.map_heads import to_space
from scaling.models.pointwise import pointwise
from scaling.models.regions import position_sensitive_pool, pyramid_align, roi_pool
from scaling.models.relation import Relation
from scaling.models.unique import UniqueModule

SMALLER = Law("normal", 0.001)  # of a prediction of boxes: arXiv 1504.08083 section 2.3


class BoxModule(nn.Module):
    """ROI align, convolutions, fully connected layers."""

    value: BoxStage
    num_classes: int
    strides: tuple[int, ...]
    settings: Settings

    @nn.compact
    def __call__(self, levels, boxes_nr4, train: bool) -> dict[str, Any]:
        value, settings = self.value, self.settings
        x = aligned(levels, boxes_nr4, self.strides, value.grid)
        x = _convolved(x, value, settings, train)
        relate = functools.partial(_related, boxes_nr4, value.relations, settings)
        x = _hidden(x, value.hidden, settings, relate)
        found = _predicted(x, self.num_classes, 4 * self.num_classes, settings)
        if value.unique:
            module = UniqueModule(value.unique, settings, name="unique")
            found["unique_logits"] = module(x, boxes_nr4, *found.values())
        return found


class ScoreMapsModule(nn.Module):
    """Maps of scores and of offsets, of which a box takes means by place."""

    value: ScoreMaps
    num_classes: int
    strides: tuple[int, ...]
    settings: Settings

    @nn.compact
    def __call__(self, levels, boxes_nr4, train: bool) -> dict[str, Any]:
        del train
        grid, found = self.value.grid, {}
        for name, outputs, law in _predictions(self.num_classes, 4):
            form = outputs * grid**2, 1, self.settings
            maps = Convolution(*form, use_bias=True, law=law, name=name)(levels[0])
            found[name] = jnp.mean(by_place(maps, boxes_nr4, self.strides[0], grid), (1, 2))
        return found


class LightHeadModule(nn.Module):
    """Thin maps pooled by place, fully connected layers."""

    value: LightHead
    num_classes: int
    strides: tuple[int, ...]
    settings: Settings

    @nn.compact
    def __call__(self, levels, boxes_nr4, train: bool) -> dict[str, Any]:
        del train
        value, settings, width = self.value, self.settings, self.value.thin * self.value.grid**2
        if value.kernel == 1:
            x = Convolution(width, 1, settings, use_bias=True, name="thin")(levels[0])
        else:
            x = self._half(levels[0], (value.kernel, 1), width, "down") + self._half(
                levels[0], (1, value.kernel), width, "right"
            )
        x = by_place(settings.activate(x), boxes_nr4, self.strides[0], value.grid).astype(settings.dtype)
        return _connected(x, value.hidden, self.num_classes, 4, settings)

    def _half(self, x, kernel: tuple[int, int], width: int, name: str):
        """A column and a row of values, or the reverse."""
        x = Convolution(self.value.inner, kernel, self.settings, name=f"{name}_0")(x)
        turned = kernel[1], kernel[0]
        return Convolution(width, turned, self.settings, use_bias=True, name=f"{name}_1")(x)


class SpatialPyramidModule(nn.Module):
    """Largest values in several grids, fully connected layers."""

    value: SpatialPyramid
    num_classes: int
    strides: tuple[int, ...]
    settings: Settings

    @nn.compact
    def __call__(self, levels, boxes_nr4, train: bool) -> dict[str, Any]:
        del train
        pool = lambda grid: _over_images(roi_pool, levels[0], boxes_nr4, self.strides[0], grid)
        parts = [pool(grid).reshape(math.prod(boxes_nr4.shape[:2]), 1, 1, -1) for grid in self.value.grids]
        x = jnp.concatenate(parts, -1).astype(self.settings.dtype)
        return _connected(x, self.value.hidden, self.num_classes, 4 * self.num_classes, self.settings)


class MaskModule(nn.Module):
    """ROI align, convolutions, twice the side: {"mask_logits": (n * r, side, side, classes)}."""

    value: MaskStage
    num_classes: int
    strides: tuple[int, ...]
    settings: Settings

    @nn.compact
    def __call__(self, levels, boxes_nr4, train: bool) -> dict[str, Any]:
        settings = self.settings
        x = aligned(levels, boxes_nr4, self.strides, self.value.grid)
        x = _convolved(x, self.value, settings, train)
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


def _convolved(x, value: BoxStage | MaskStage, settings: Settings, train: bool) -> Any:
    """3x3 convolutions of a stage's widths; modules of the compact method that calls."""
    for i, width in enumerate(value.convs):
        x = Convolution(width, 3, settings, use_bias=not value.norm, name=f"conv_{i}")(x)
        norm = BatchNorm(settings, act=True, name=f"norm_{i}") if value.norm else None
        x = norm(x, train) if norm else settings.activate(x)
    return x


def aligned(levels: Sequence[Any], boxes_nr4, strides: Sequence[int], grid: int) -> Any:
    """Return the grids of all boxes of all images by ROI align, (n * r, grid, grid, c)."""
    grids = jax.vmap(lambda maps, boxes_r4: pyramid_align(maps, boxes_r4, strides, grid))(levels, boxes_nr4)
    return grids.reshape(-1, *grids.shape[2:])


def by_place(maps_nhwc, boxes_nr4, stride: int, grid: int) -> Any:
    """Return the grids of all boxes of all images by position-sensitive pooling, float32."""
    return _over_images(position_sensitive_pool, maps_nhwc, boxes_nr4, stride, grid)


def _over_images(pool: Callable[..., Any], maps_nhwc, boxes_nr4, stride: int, grid: int) -> Any:
    grids = jax.vmap(lambda x, boxes_r4: pool(x, boxes_r4, 1 / stride, grid))(maps_nhwc, boxes_nr4)
    return grids.reshape(-1, *grids.shape[2:])


def _related(boxes_nr4, heads: int, settings: Settings, x, name: str) -> Any:
    """Vectors (n * r, 1, 1, d) that have attended to each other, where there are heads."""
    if not heads:
        return x
    vectors = x.reshape(*boxes_nr4.shape[:2], -1)
    return Relation(heads, settings, name=name)(vectors, boxes_nr4).reshape(x.shape)


def _connected(
    x,
    hidden: Sequence[int],
    classes: int,
    offsets: int,
    settings: Settings,
    after: Callable[[Any, str], Any] = lambda x, _: x,
) -> dict[str, Any]:
    """Fully connected layers over grids, what comes `after` each, and the predictions.

    Their modules become those of the compact method that calls, as those of its parts do."""
    return _predicted(_hidden(x, hidden, settings, after), classes, offsets, settings)


def _hidden(x, hidden: Sequence[int], settings: Settings, after: Callable[[Any, str], Any]) -> Any:
    """Fully connected layers over grids, and what comes `after` each, (n * r, 1, 1, width)."""
    for i, width in enumerate(hidden):
        form = width, x.shape[1], settings
        x = settings.activate(Convolution(*form, use_bias=True, pad=0, fan="in", name=f"hidden_{i}")(x))
        x = after(x, f"relation_{i}")
    return x


def _predicted(x, classes: int, offsets: int, settings: Settings) -> dict[str, Any]:
    """The predictions by name, (n * r, outputs)."""
    found = {}
    for name, outputs, law in _predictions(classes, offsets):
        found[name] = Convolution(outputs, 1, settings, use_bias=True, law=law, name=name)(x)[:, 0, 0]
    return found


def _predictions(classes: int, offsets: int) -> tuple[tuple[str, int, Law], ...]:
    return ("class_logits", classes, SMALL), ("box_regression", offsets, SMALLER)


MODULES: dict[type, Any] = {
    BoxStage: BoxModule,
    ScoreMaps: ScoreMapsModule,
    LightHead: LightHeadModule,
    SpatialPyramid: SpatialPyramidModule,
}
