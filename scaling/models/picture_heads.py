"""Heads whose answer is a picture: the module of the value in `scaling.arch.picture_heads`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from scaling.arch.arch import Arch
from scaling.arch.map_heads import UP_KERNELS
from scaling.arch.picture_heads import Reconstruction
from scaling.models.initializers import ZEROS
from scaling.models.layers import Convolution, Settings
from scaling.models.map_heads import filling, resize


def reconstruct(arch: Arch, maps: Sequence[Any], shape, train: bool, settings: Settings, keys_b) -> dict:
    """Return {"out": float32 (n, h * factor, w * factor, classes)} for images of `shape`, from the last map.

    To be called within a compact method: the module becomes the caller's.
    """
    del train, keys_b
    head = arch.head
    assert isinstance(head, Reconstruction)
    sides = shape[1] * head.factor, shape[2] * head.factor
    scale = arch.feature_grids[-1].stride * head.factor
    picture = ReconstructionModule(head, arch.num_classes, settings, name="decoder")(maps[-1], sides, scale)
    return {"out": picture.astype(jnp.float32)}


class ReconstructionModule(nn.Module):
    """A map brought up by `scale` to a picture of `sides`."""

    value: Reconstruction
    num_classes: int
    settings: Settings

    @nn.compact
    def __call__(self, x, sides: tuple[int, int], scale: int):
        if self.value.upsampling not in UP_KERNELS:
            return self._convolved(resize(x, sides, self.value.upsampling), self.num_classes)
        x = self._convolved(x, scale**2 * self.num_classes)
        return filling(x, sides, scale)

    def _convolved(self, x, width: int):
        # No norm follows: the answer begins as wide as what it is made of, or as nothing to be taken off
        form, law = (width, self.value.window, self.settings), ZEROS if self.value.residual else None
        return Convolution(*form, use_bias=self.value.bias, fan="in", law=law, name="conv")(x)


MODULES: dict[type, Any] = {Reconstruction: ReconstructionModule}
