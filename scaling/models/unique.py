"""Learned duplicate removal: the module of `scaling.arch.region_stages.Unique`."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from scaling.arch.region_heads import TwoStage
from scaling.arch.region_stages import Unique
from scaling.models.boxes import area, decode
from scaling.models.layers import Convolution, Settings
from scaling.models.relation import Relation

NOT_COMPARED = -1e9  # the logit of a box that was not among the likeliest of its class: no chance at all


class UniqueModule(nn.Module):
    """Vectors (n * r, 1, 1, d), boxes (n, r, 4) and what is predicted of them -> logits (n * r, classes - 1).

    No gradient passes through the choice of boxes, or through where they lie.
    """

    value: Unique
    settings: Settings

    @nn.compact
    def __call__(self, x, boxes_nr4, logits, deltas) -> Any:
        images, regions = boxes_nr4.shape[:2]
        count, width = min(self.value.boxes, regions), self.value.width
        logits_nrk = logits.astype(jnp.float32).reshape(images, regions, -1)
        chance_nkr = jnp.swapaxes(jax.nn.softmax(logits_nrk)[..., 1:], 1, 2)
        chance_nkr = jnp.where(area(boxes_nr4)[:, None] > 0, chance_nkr, -1.0)
        score_nkc, place_nkc = lax.top_k(lax.stop_gradient(chance_nkr), count)
        deltas_nrk4 = deltas.astype(jnp.float32).reshape(*logits_nrk.shape, 4)[:, :, 1:]
        moved_nrk4 = decode(deltas_nrk4, boxes_nr4[:, :, None], TwoStage.box_weights)
        moved_nkc4 = _taken(jnp.swapaxes(lax.stop_gradient(moved_nrk4), 1, 2), place_nkc)
        moved_nkc4 = jnp.where(score_nkc[..., None] > 0, moved_nkc4, 0.0)
        vectors_nrw = self._linear(x, width, "features").reshape(images, 1, regions, width)
        ranks_cw = self._linear(waves(count, width)[:, None, None], width, "rank")[:, 0, 0]
        vectors_nkcw = _taken(vectors_nrw, place_nkc) + ranks_cw
        together = vectors_nkcw.reshape(-1, count, width), moved_nkc4.reshape(-1, count, 4)
        told = Relation(self.value.heads, self.settings, name="relation")(*together)
        logit_nkc = self._linear(told.reshape(-1, 1, 1, width), 1, "logits").reshape(score_nkc.shape)
        logit_nkc = jnp.where(score_nkc > 0, logit_nkc.astype(jnp.float32), NOT_COMPARED)
        put = lambda logit_c, place_c: jnp.full(regions, NOT_COMPARED).at[place_c].set(logit_c)
        logit_nkr = jax.vmap(jax.vmap(put))(logit_nkc, place_nkc)
        return jnp.swapaxes(logit_nkr, 1, 2).reshape(images * regions, -1)

    def _linear(self, x, features: int, name: str):
        return Convolution(features, 1, self.settings, use_bias=True, fan="in", name=name)(x)


def _taken(values_nkrd, place_nkc):
    """The values at some places of the last axis but one."""
    return jnp.take_along_axis(values_nkrd, place_nkc[..., None], 2)


def waves(count: int, width: int) -> jax.Array:
    """Return ranks as waves of growing length, (count, width): arXiv 1706.03762 section 3.5."""
    half = math.ceil(width / 2)
    angles = jnp.arange(count)[:, None] / 10_000.0 ** (jnp.arange(half) / half)
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], -1)[:, :width]
