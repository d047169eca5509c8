"""A head that answers a point on the unit sphere: the module of the value in
`scaling.arch.embedding_heads`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from scaling.arch.arch import Arch
from scaling.arch.embedding_heads import Embedding
from scaling.models.head import average_to
from scaling.models.initializers import parameter, units
from scaling.models.layers import BatchNorm, Convolution, Settings

LEAST = 1e-6  # of a length that is divided by


def embed(arch: Arch, maps: Sequence[Any], shape, train: bool, settings: Settings, keys_b) -> dict[str, Any]:
    """Return the float32 outputs that `Embedding` names, from the last map.

    To be called within a compact method: the module becomes the caller's.
    """
    del shape, keys_b
    assert isinstance(arch.head, Embedding)
    return EmbeddingModule(arch.head, arch.num_classes, settings, name="decoder")(maps[-1], train)


class EmbeddingModule(nn.Module):
    """A fully connected layer of the averaged map, normalised, scaled to length 1, and vectors of the
    classes."""

    value: Embedding
    num_classes: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool):
        grid = self.value.grid
        x = average_to(average_to(x_nhwc, 1, grid), 2, grid).reshape(x_nhwc.shape[0], 1, 1, -1)
        x = Convolution(self.value.size, 1, self.settings, name="embed")(x)
        x_bd = BatchNorm(self.settings, name="norm")(x, train)[:, 0, 0].astype(jnp.float32)
        unit_bd = unit(x_bd)
        if not self.value.classifies:
            return {"embedding": unit_bd}
        shape = self.value.size, self.num_classes
        classes_dk = parameter(self, "classes", shape, units(shape))
        logits_bk = x_bd @ classes_dk
        lengths_bk = length(x_bd) * length(classes_dk.T).T
        return {"embedding": unit_bd, "logits": logits_bk, "cosines": logits_bk / lengths_bk}


def length(x):
    """The length of the vectors of the last axis, which stays, at least `LEAST`; its gradient is finite."""
    return jnp.sqrt(jnp.sum(jnp.square(x), -1, keepdims=True) + LEAST**2)


def unit(x):
    """The vectors of the last axis with length 1."""
    return x / length(x)


MODULES: dict[type, Any] = {Embedding: EmbeddingModule}
