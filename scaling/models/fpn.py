"""The feature pyramid of `scaling.arch.necks.Fpn`."""

from __future__ import annotations

import math
from typing import Any

from flax import linen as nn

from scaling.arch.necks import Fpn
from scaling.models.initializers import Law
from scaling.models.layers import BatchNorm, Convolution, Settings
from scaling.models.resampling import nearest


class FpnModule(nn.Module):
    """Maps, finest first -> levels, finest first, all of the value's width."""

    value: Fpn
    settings: Settings

    @nn.compact
    def __call__(self, maps, train: bool) -> list[Any]:
        *finer, x = (self._read(x, 1, f"lateral_{i}", train) for i, x in enumerate(maps))
        merged = [x]
        for lateral in reversed(finer):
            merged.insert(0, lateral + nearest(merged[0], lateral.shape[1:3]))
        levels = [self._read(x, 3, f"output_{i}", train) for i, x in enumerate(merged)]
        return levels + self._further(maps[-1], levels[-1], self.value.levels - len(levels))

    def _further(self, last_map, last_level, count: int) -> list[Any]:
        value, levels = self.value, []
        x = last_map if value.extra == "c5" else last_level
        for i in range(count):
            if value.extra == "pool":
                x = x[:, ::2, ::2]
            else:
                x = self._conv(self.settings.activate(x) if i else x, 3, f"further_{i}", 2)
            levels.append(x)
        return levels

    def _read(self, x, kernel: int, name: str, train: bool):
        x = self._conv(x, kernel, name, bias=not self.value.norm)
        return BatchNorm(self.settings, name=f"norm_{name}")(x, train) if self.value.norm else x

    def _conv(self, x, kernel: int, name: str, stride: int = 1, bias: bool = True):
        law = Law("uniform", math.sqrt(3 / (kernel * kernel * x.shape[-1])))
        form = self.value.width, kernel, self.settings, stride
        return Convolution(*form, use_bias=bias, law=law, name=name)(x)
