"""Relation Networks' module: what is told of a box also follows from the other boxes (arXiv 1711.11575)."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from scaling.arch.region_stages import KEY, PLACE
from scaling.models.boxes import area
from scaling.models.layers import Convolution, Settings

LEAST = 1e-6  # of a weight by places whose logarithm is taken


class Relation(nn.Module):
    """Vectors of boxes (n, r, d) and the boxes (n, r, 4) -> the vectors, and to each a mean of all added.

    Each of `heads`, or as many as divide the width, weighs boxes by their vectors and by how they lie to each
    other; boxes of no area weigh nothing. Source: arXiv 1711.11575 sections 3.1 and 3.2.
    """

    heads: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nrd, boxes_nr4):
        width = x_nrd.shape[-1]
        heads = math.gcd(self.heads, width)
        key, query, value = (
            self._linear(x_nrd, features, name).reshape(*x_nrd.shape[:2], heads, -1)
            for name, features in (("key", heads * KEY), ("query", heads * KEY), ("value", width))
        )
        alike = jnp.einsum("nqhd,nmhd->nqmh", query, key).astype(jnp.float32) / math.sqrt(KEY)
        near = self._linear(jax.vmap(places)(boxes_nr4), heads, "place").astype(jnp.float32)
        weight = alike + jnp.log(jnp.maximum(near, LEAST))
        there = area(boxes_nr4)[:, None, :, None] > 0
        share = jax.nn.softmax(jnp.where(there, weight, -1e9), 2).astype(value.dtype)
        return x_nrd + jnp.einsum("nqmh,nmhd->nqhd", share, value).reshape(x_nrd.shape)

    def _linear(self, x, features: int, name: str):
        """The last axis by a matrix and a bias."""
        image = x.reshape(x.shape[0], -1, 1, x.shape[-1])
        y = Convolution(features, 1, self.settings, use_bias=True, fan="in", name=name)(image)
        return y.reshape(*x.shape[:-1], features)


def places(boxes_r4) -> Any:
    """Return how the second of two boxes lies to the first: waves of distance and size, (r, r, PLACE)."""
    centre, sides = (
        (boxes_r4[:, :2] + boxes_r4[:, 2:]) / 2,
        jnp.maximum(boxes_r4[:, 2:] - boxes_r4[:, :2], 1.0),
    )
    apart = jnp.abs(centre[None] - centre[:, None]) / sides[:, None]
    told_rr4 = jnp.concatenate([jnp.maximum(apart, 1e-3), sides[None] / sides[:, None]], -1)
    waves = 100.0 / 1000.0 ** (jnp.arange(PLACE // 8) / (PLACE // 8))
    angles = (jnp.log(told_rr4)[..., None] * waves).reshape(*told_rr4.shape[:2], -1)
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], -1)
