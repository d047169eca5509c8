"""Detectors' heads: modules of the values in `scaling.arch.box_heads`, and their outputs in one shape."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from scaling.arch.arch import Arch
from scaling.arch.box_heads import PRIOR, BoxHead, EfficientDet, RetinaNet, Ssd
from scaling.arch.necks import BiFpn, Context, Extras, Fpn, Neck
from scaling.models.bifpn import BiFpnModule, Separable
from scaling.models.context import ContextModule
from scaling.models.extra_levels import SEPARABLE, ExtrasModule
from scaling.models.fpn import FpnModule
from scaling.models.initializers import ONES, ZEROS, Law, glorot, parameter
from scaling.models.layers import BatchNorm, Convolution, Settings

RARE = Law("constant", -math.log((1 - PRIOR) / PRIOR))  # biases whose sigmoid is the prior
SMALL = Law("normal", 0.01)  # kernels of RetinaNet's towers: arXiv 1708.02002 section 4.1
KEEPING = (Law("normal", 1 / 3), None)  # of a depthwise 3x3; the 1x1 after it follows from its input


def detect(arch: Arch, maps: Sequence[Any], shape, train: bool, settings: Settings, keys_b) -> dict[str, Any]:
    """Return the float32 outputs of a detector, from the maps that its head reads.

    To be called within a compact method: the module becomes the caller's.
    """
    del shape, keys_b
    assert isinstance(arch.head, BoxHead)
    module = MODULES[type(arch.head)](arch.head, arch.num_classes, settings, name="decoder")
    return {name: x.astype(jnp.float32) for name, x in module(tuple(maps), train).items()}


def flattened(head: BoxHead, outputs: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return scores (n, anchors, classes) and box corrections (n, anchors, 4) as dx, dy, dw, dh."""
    if "cls_logits" in outputs:
        scores_nak, boxes_na4 = outputs["cls_logits"], outputs["bbox_regression"]
    else:
        levels = range(head.neck.levels)
        scores_nak = jnp.concatenate(
            [by_anchor(outputs[f"class_{i}"], head.num_anchors[i]) for i in levels], 1
        )
        boxes_na4 = jnp.concatenate([by_anchor(outputs[f"box_{i}"], head.num_anchors[i]) for i in levels], 1)
    return scores_nak, boxes_na4 if head.box_order == "xyxy" else boxes_na4[..., jnp.array([1, 0, 3, 2])]


def by_anchor(x_nhwc, anchors: int):
    """Return (n, h, w, anchors * values) as (n, h * w * anchors, values)."""
    return x_nhwc.reshape(x_nhwc.shape[0], -1, x_nhwc.shape[-1] // anchors)


def levels_of(neck: Neck, maps, train: bool, settings: Settings) -> list[Any]:
    """Return a neck's levels; its module becomes that of the compact method that calls."""
    return NECKS[type(neck)](neck, settings, name="neck")(maps, train)


class RetinaNetModule(nn.Module):
    """One tower for classes and one for boxes, each run over all levels."""

    value: RetinaNet
    num_classes: int
    settings: Settings

    @nn.compact
    def __call__(self, maps, train: bool) -> dict[str, Any]:
        levels = levels_of(self.value.neck, maps, train, self.settings)
        (anchors, *_), found = self.value.num_anchors, {}
        rows = ("cls_logits", self.num_classes, RARE), ("bbox_regression", 4, ZEROS)
        for name, values, bias in rows:
            tower = PlainTower(self.value, anchors * values, bias, self.settings, name=name)
            found[name] = jnp.concatenate([by_anchor(x, anchors) for x in tower(levels)], 1)
        return found


class PlainTower(nn.Module):
    """3x3 convolutions at the width of the levels, then one to `features`; levels -> predictions."""

    value: RetinaNet
    features: int
    bias: Law
    settings: Settings

    @nn.compact
    def __call__(self, levels: Sequence[Any]) -> list[Any]:
        value, settings, width = self.value, self.settings, levels[0].shape[-1]
        shared = {"kernel": 3, "settings": settings, "law": SMALL}
        convs = [
            Convolution(width, use_bias=not value.norm, name=f"conv_{i}", **shared)
            for i in range(value.repeats)
        ]
        norms = [GroupNorm(settings, name=f"norm_{i}") for i in range(value.repeats)] if value.norm else None
        predict = Convolution(self.features, use_bias=True, bias_law=self.bias, name="predict", **shared)
        return [predict(self._tower(x, convs, norms)) for x in levels]

    def _tower(self, x, convs, norms):
        for i, conv in enumerate(convs):
            x = conv(x)
            x = self.settings.activate(norms[i](x) if norms else x)
        return x


class EfficientDetModule(nn.Module):
    """One tower for classes and one for boxes, each run over all levels; the levels stay apart."""

    value: EfficientDet
    num_classes: int
    settings: Settings

    @nn.compact
    def __call__(self, maps, train: bool) -> dict[str, Any]:
        value, own = self.value, {"eps": self.value.eps, "momentum": self.value.momentum}
        own = {name: number for name, number in own.items() if number is not None}
        settings = dataclasses.replace(self.settings, **own)
        levels = levels_of(value.neck, maps, train, settings)
        (anchors, *_), found = value.num_anchors, {}
        for name, values, bias in (("class", self.num_classes, RARE), ("box", 4, ZEROS)):
            tower = SeparableTower(value, anchors * values, bias, settings, name=f"{name}_net")
            found |= {f"{name}_{i}": x for i, x in enumerate(tower(levels, train))}
        return found


class SeparableTower(nn.Module):
    """Separable convolutions whose norms are a level's own, then one to `features`; levels -> predictions."""

    value: EfficientDet
    features: int
    bias: Law
    settings: Settings

    @nn.compact
    def __call__(self, levels: Sequence[Any], train: bool) -> list[Any]:
        value, settings, width = self.value, self.settings, levels[0].shape[-1]
        laws = KEEPING[0], Law("normal", 1 / math.sqrt(width))
        convs = [Separable(width, settings, value.bias, laws, name=f"conv_{i}") for i in range(value.repeats)]
        predict = Separable(self.features, settings, True, laws, self.bias, name="predict")
        found = []
        for level, x in enumerate(levels):
            for i, conv in enumerate(convs):
                x = BatchNorm(settings, act=True, name=f"norm_{i}_{level}")(conv(x), train)
            found.append(predict(x))
        return found


class SsdModule(nn.Module):
    """A prediction of classes and one of boxes for each level."""

    value: Ssd
    num_classes: int
    settings: Settings

    @nn.compact
    def __call__(self, maps, train: bool) -> dict[str, Any]:
        value, found = self.value, {}
        settings = dataclasses.replace(self.settings, activation=value.act or self.settings.activation)
        levels = levels_of(value.neck, maps, train, self.settings)
        for name, values in (("cls_logits", self.num_classes), ("bbox_regression", 4)):
            parts = []
            for i, (x, anchors) in enumerate(zip(levels, value.num_anchors)):
                predict = Prediction(anchors * values, value.separable, settings, name=f"{name}_{i}")
                parts.append(by_anchor(predict(x, train), anchors))
            found[name] = jnp.concatenate(parts, 1)
        return found


class Prediction(nn.Module):
    """A 3x3 convolution; or a depthwise one, batch norm, activation and a 1x1."""

    features: int
    separable: bool
    settings: Settings

    @nn.compact
    def __call__(self, x, train: bool):
        settings, channels = self.settings, x.shape[-1]
        law, kernel = glorot((3, 3, channels, self.features)), 3
        if self.separable:
            x = Convolution(channels, 3, settings, groups=channels, law=SEPARABLE, name="depthwise")(x)
            x = BatchNorm(settings, act=True, name="norm")(x, train)
            law, kernel = SEPARABLE, 1
        return Convolution(self.features, kernel, settings, use_bias=True, law=law, name="predict")(x)


class GroupNorm(nn.Module):
    """Normalise each example over its places and groups of channels, in float32. Source: arXiv 1803.08494.

    There are 32 groups, or fewer, so that each has eight channels at least.
    """

    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc):
        n, h, w, c = x_nhwc.shape
        scale = parameter(self, "scale", (c,), ONES)
        bias = parameter(self, "bias", (c,), ZEROS)
        groups = math.gcd(32, max(1, c // 8))
        x = x_nhwc.astype(jnp.float32).reshape(n, h, w, groups, c // groups)
        centred = x - jnp.mean(x, (1, 2, 4), keepdims=True)
        variance = jnp.mean(jnp.square(centred), (1, 2, 4), keepdims=True)
        normal = (centred * lax.rsqrt(variance + 1e-5)).reshape(n, h, w, c)
        return (normal * scale + bias).astype(x_nhwc.dtype)


MODULES: dict[type, Any] = {RetinaNet: RetinaNetModule, EfficientDet: EfficientDetModule, Ssd: SsdModule}
NECKS: dict[type, Any] = {
    Fpn: FpnModule,
    Context: ContextModule,
    BiFpn: BiFpnModule,
    Extras: ExtrasModule,
}
