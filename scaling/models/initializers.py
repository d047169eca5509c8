"""How a parameter starts: a law that it states where it is made, drawn by JAX keys or on the host.

Convolutions: normal of std sqrt(2 / fan_out), fan_out = kh * kw * out, and kh * kw for depthwise
(where Flax's variance_scaling is too small by sqrt(channels)); sqrt(2 / fan_in) where widths jump and
no norm follows: fire blocks, mlpconv, hidden layers, bare Inception filters. Dense: uniform of
+-1 / sqrt(units). Source: EfficientNet's code, arXiv 1502.01852.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import struct

SHAPES = "shapes"  # with an rng of this name, variables begin as zeros in a `Stated` box: nothing is drawn


@dataclass(frozen=True)
class Law:
    """What an array starts from: "normal" of std `size`, "uniform" within +-`size`, or "constant" `size`."""

    kind: str
    size: float

    def by_key(self, key: Any, shape: Sequence[int]) -> Any:
        """Draw float32 values by a JAX key: a Flax initializer."""
        if self.kind == "normal":
            return self.size * jax.random.normal(key, shape)
        if self.kind == "uniform":
            return jax.random.uniform(key, shape, minval=-self.size, maxval=self.size)
        return jnp.full(shape, self.size)

    def by_generator(self, rng: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
        """Draw float32 values on the host, without compiling anything."""
        if self.kind == "normal":
            return np.float32(self.size) * rng.standard_normal(shape, np.float32)
        if self.kind == "uniform":
            return np.float32(self.size) * (2 * rng.random(shape, np.float32) - 1)
        return np.full(shape, self.size, np.float32)


ZEROS, ONES = Law("constant", 0.0), Law("constant", 1.0)


def fan_out(kernel_hwio: Sequence[int], groups: int = 1) -> Law:
    """The law of a convolution of this shape that a norm follows; depthwise if its groups are its filters."""
    rows, columns, _, filters = kernel_hwio
    return Law("normal", math.sqrt(2.0 / (rows * columns * (1 if groups == filters else filters))))


def fan_in(kernel_hwio: Sequence[int]) -> Law:
    """The law of a convolution of this shape that keeps the spread of its input, without a norm after it."""
    return Law("normal", math.sqrt(2.0 / math.prod(kernel_hwio[:3])))


def glorot(kernel_hwio: Sequence[int]) -> Law:
    """The uniform law between those of input and gradient, without a gain for activations (Glorot 2010)."""
    return Law("uniform", math.sqrt(6.0 / (math.prod(kernel_hwio[:2]) * sum(kernel_hwio[2:]))))


def units(kernel_cf: Sequence[int]) -> Law:
    """The law of a matrix of this shape."""
    return Law("uniform", 1.0 / math.sqrt(kernel_cf[-1]))


def torch_law(stated: Law, shape: Sequence[int]) -> Law:
    """What PyTorch's layers start from: kernels uniform within 1 / sqrt(fan_in); biases 0 here, not random.

    Source: torch.nn.Conv2d and Linear, whose scores networks of the benchmarks were published with.
    """
    if stated.kind == "constant":
        return stated
    return Law("uniform", 1.0 / math.sqrt(math.prod(shape[:-1])))


@struct.dataclass
class Stated(nn.meta.AxisMetadata):
    """A variable of which only the shape is asked for, and the law that it states."""

    value: Any
    law: Law = struct.field(pytree_node=False)

    def unbox(self) -> Any:
        return self.value

    def replace_boxed(self, val: Any) -> Stated:
        return Stated(val, self.law)

    def add_axis(self, index: int, params: dict[Any, Any]) -> Stated:
        del index, params
        return self

    def remove_axis(self, index: int, params: dict[Any, Any]) -> Stated:
        del index, params
        return self


def parameter(module: nn.Module, leaf: str, shape: Sequence[int], law: Law) -> Any:
    """Return a module's parameter, created by its law when initialising.

    `nn.Module.param` alone would trace the initializer at every call, to compare shapes: a fifth of the
    time that tracing a network takes; and drawing is half of what tracing an initialisation takes.
    """
    value = module.get_variable("params", leaf)
    value = value.unbox() if isinstance(value, Stated) else value
    if value is not None and value.shape == tuple(shape):
        return value
    if value is None and module.has_rng(SHAPES):
        module.put_variable("params", leaf, Stated(zeros := jnp.zeros(shape), law))
        return zeros
    return module.param(leaf, law.by_key, shape)


def statistic(module: nn.Module, leaf: str, shape: Sequence[int], law: Law) -> nn.Variable[Any]:
    """Return a module's running statistic, which begins as its law, a constant, says."""

    def init() -> Any:
        value = jnp.full(shape, law.size)
        return Stated(value, law) if module.has_rng(SHAPES) else value

    return module.variable("batch_stats", leaf, init)


def asks_shapes(module: nn.Module) -> bool:
    """Whether only shapes are asked for: what keeps the shape of its input need not be traced."""
    return module.is_initializing() and module.has_rng(SHAPES)


def inner_rngs(module: nn.Module) -> dict[str, Any]:
    """What a module that holds another's variables initialises it with."""
    name = SHAPES if module.has_rng(SHAPES) else "params"
    return {name: module.make_rng(name)}
