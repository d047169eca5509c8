"""A judge and a generator: the modules of the value in `scaling.arch.gan_heads`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from scaling.arch.arch import Arch
from scaling.arch.gan_heads import GENERATOR, JUDGE, KERNEL, Adversarial
from scaling.arch.map_heads import UP_KERNELS
from scaling.models.head import average_to
from scaling.models.initializers import Law
from scaling.models.layers import BatchNorm, Convolution, Settings
from scaling.models.map_heads import ConvNorm, filling, resize

SPREAD = Law("normal", 0.02)  # of the generator's first kernels: arXiv 1511.06434 section 4


def adversary(
    arch: Arch, maps: Sequence[Any], shape, train: bool, settings: Settings, keys_b, noise=None
) -> dict[str, Any]:
    """Return the judge's {"judged": (n,)} of the images and the generator's {"out": (n, h, w, classes)}.

    Positive is taken for the data's. The generator reads `noise`, (n, latent), zeros without.
    To be called within a compact method: the modules become the caller's.
    """
    del keys_b
    head = arch.head
    assert isinstance(head, Adversarial)
    grid = head.grid
    seen = average_to(average_to(maps[-1], 1, grid), 2, grid).reshape(shape[0], 1, 1, -1)
    judged = Convolution(1, 1, settings, use_bias=True, fan="in", name=JUDGE)(seen)
    sides = [x.shape[1:3] for x in reversed(maps)] + [shape[1:3]]
    own = dataclasses.replace(settings, activation=head.act)
    noise = jnp.zeros((shape[0], head.latent)) if noise is None else noise
    made = GeneratorModule(head, arch.num_classes, own, name=GENERATOR)(noise, sides, train)
    return {"judged": judged[:, 0, 0, 0].astype(jnp.float32), "out": made.astype(jnp.float32)}


class GeneratorModule(nn.Module):
    """Numbers to a small map, and up to a picture in (-1, 1), through maps of `sides`."""

    value: Adversarial
    num_classes: int
    settings: Settings

    @nn.compact
    def __call__(self, noise_bl, sides: Sequence[tuple[int, int]], train: bool):
        value, settings = self.value, self.settings
        grid, width = value.grid, value.width(0)
        x: Any = Convolution(width * grid**2, 1, settings, law=SPREAD, name="project")(
            noise_bl[:, None, None]
        )
        x = BatchNorm(settings, act=True, name="norm_0")(x.reshape(-1, grid, grid, width), train)
        first, *finer, picture = sides
        x = self._more(resize(x, first), 0, train)
        for step, side in enumerate(finer, start=1):
            x = self._up(x, side, value.width(step), f"up_{step}")
            x = self._more(BatchNorm(settings, act=True, name=f"norm_{step}")(x, train), step, train)
        return jnp.tanh(self._up(x, picture, self.num_classes, "picture", bias=True))

    def _up(self, x, sides: tuple[int, int], width: int, name: str, bias: bool = False):
        how = self.value.upsampling
        if how in UP_KERNELS and x.shape[1:3] != sides:
            x = Convolution(4 * width, UP_KERNELS[how], self.settings, use_bias=bias, law=SPREAD, name=name)(
                x
            )
            return filling(x, sides)
        x = resize(x, sides, "bilinear" if how in UP_KERNELS else how)
        return Convolution(width, KERNEL, self.settings, use_bias=bias, law=SPREAD, name=name)(x)

    def _more(self, x, step: int, train: bool):
        """The other convolutions of a side."""
        for k in range(1, self.value.convs):
            x = ConvNorm(x.shape[-1], KERNEL, self.settings, name=f"step_{step}_conv_{k}")(x, train)
        return x


MODULES: dict[type, Any] = {Adversarial: GeneratorModule}
