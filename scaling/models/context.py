"""The neck of `scaling.arch.necks.Context`: one level of two maps and a mean."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from scaling.arch.necks import Context
from scaling.models.layers import Convolution, Settings
from scaling.models.resampling import nearest


class ContextModule(nn.Module):
    """Maps, finest first -> a level of the first one's side, of the value's width."""

    value: Context
    settings: Settings

    @nn.compact
    def __call__(self, maps, train: bool) -> list[Any]:
        del train
        finer, last = maps[0], maps[-1]
        mean = jnp.mean(last, (1, 2), keepdims=True)
        level = self._conv(finer, "finer") + nearest(self._conv(last, "last"), finer.shape[1:3])
        return [level + self._conv(mean, "mean")]

    def _conv(self, x, name: str):
        return Convolution(self.value.width, 1, self.settings, use_bias=True, fan="in", name=name)(x)
