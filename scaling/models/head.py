"""From the last feature map to logits: a last convolution, hidden layers, pooling, the classifier."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from scaling.arch.arch import Arch
from scaling.arch.head import LEARNED_CODES, LINEAR, Head
from scaling.models.codes import Codes
from scaling.models.initializers import ZEROS, parameter, units
from scaling.models.layers import BatchNorm, Convolution, LayerNorm, Settings, dropout, fold


def classify(arch: Arch, x_nhwc, train: bool, settings: Settings, keys_b):
    """Return (n, num_classes) float32 logits as `arch.head` says.

    To be called within a compact method: the modules become those of the caller.
    """
    head, classes, name = arch.head, arch.num_classes, "classifier"
    assert isinstance(head, Head)
    coded = head.output != LINEAR
    classifier = (
        Codes(classes, head.output == LEARNED_CODES, name=name) if coded else Classifier(classes, name=name)
    )
    x = _last_convolution(head, x_nhwc, train, settings)
    if head.per_pixel:
        pixels = classifier(dropout(x, settings.drop_rate, keys_b).astype(jnp.float32))
        return jnp.mean(settings.activate(pixels), (1, 2))
    x = _hidden_layers(head, x, settings, keys_b)
    features = jnp.mean(x, (1, 2), dtype=jnp.float32)
    if head.layer_norm:
        features = LayerNorm(settings, name="norm_pooled")(features)
    return classifier(dropout(features, settings.drop_rate, keys_b))


def _last_convolution(head: Head, x: Any, train: bool, settings: Settings) -> Any:
    if head.preact:
        x = BatchNorm(settings, act=True, name="norm_final")(x, train)
    if head.act:
        x = settings.activate(x)
    if head.width is not None:
        x = Convolution(head.width, 1, settings, name="head")(x)
        x = BatchNorm(settings, act=True, name="norm_head")(x, train)
    return x


def _hidden_layers(head: Head, x: Any, settings: Settings, keys_b) -> Any:
    """Fully connected layers as convolutions over windows of `grid` pixels, dropout between them."""
    if not head.hidden:
        return x
    rows, columns = (max(head.grid, side) if head.slide else head.grid for side in x.shape[1:3])
    x = average_to(average_to(x, 1, rows), 2, columns)
    for i, width in enumerate(head.hidden):
        if i:
            x = dropout(x, settings.drop_rate, fold(keys_b, i))
        kernel = 1 if i else head.grid
        x = Convolution(width, kernel, settings, use_bias=True, pad=0, fan="in", name=f"hidden_{i}")(x)
        x = settings.activate(x)
    return x


def average_to(x: Any, axis: int, parts: int) -> Any:
    """Average an axis to `parts` values over spans that may overlap, as PyTorch's adaptive pooling does."""
    size = x.shape[axis]
    if size == parts:
        return x
    spans = [(i * size // parts, -(-(i + 1) * size // parts)) for i in range(parts)]
    means = [jnp.mean(lax.slice_in_dim(x, *span, axis=axis), axis, keepdims=True) for span in spans]
    return jnp.concatenate(means, axis)


class Classifier(nn.Module):
    """A float32 fully connected layer over the last axis, whatever the compute type."""

    units: int

    @nn.compact
    def __call__(self, features):
        shape = features.shape[-1], self.units
        kernel = parameter(self, "kernel", shape, units(shape))
        bias = parameter(self, "bias", (self.units,), ZEROS)
        return features @ kernel + bias
