"""How each parameter starts, by its names and shape: one law, drawn by JAX keys or on the host.

Convolutions: normal of std sqrt(2 / fan_out), fan_out = kh * kw * out, and kh * kw for depthwise
(where Flax's variance_scaling is too small by sqrt(channels)); sqrt(2 / fan_in) where widths jump and
no norm follows: fire blocks, mlpconv, hidden layers, bare Inception filters. Dense: uniform of +-1 / sqrt(units). Norm scales
and running variances 1, layer scales 1e-6 (arXiv 2201.03545), everything else 0. Source: EfficientNet's
code, arXiv 1502.01852.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

SHAPES = "shapes"  # with an rng of this name, parameters begin as zeros: only their shapes are asked for

FAN_IN = ("squeeze", "expand1x1", "expand3x3", "mlp", "hidden", "filter")

CONSTANTS = {"scale": 1.0, "var": 1.0, "layer_scale": 1e-6}


def law(module: str, leaf: str, shape: Sequence[int]) -> tuple[str, float]:
    """Return ("normal", std), ("uniform", bound) or ("constant", value) for one array."""
    if leaf == "kernel" and len(shape) == 4:
        filters = 1 if module.startswith("depthwise") else shape[2 if module.startswith(FAN_IN) else 3]
        return "normal", math.sqrt(2.0 / (shape[0] * shape[1] * filters))
    if leaf == "kernel":
        return "uniform", 1.0 / math.sqrt(shape[-1])
    return "constant", CONSTANTS.get(leaf, 0.0)


def torch_law(module: str, leaf: str, shape: Sequence[int]) -> tuple[str, float]:
    """What PyTorch's layers start from: kernels uniform within 1 / sqrt(fan_in); biases 0 here, not random.

    Source: torch.nn.Conv2d and Linear, whose scores networks of the benchmarks were published with.
    """
    if leaf == "kernel":
        return "uniform", 1.0 / math.sqrt(math.prod(shape[:-1]))
    return law(module, leaf, shape)


Law = Callable[[str, str, Sequence[int]], tuple[str, float]]


def from_key(module: str, leaf: str):
    """Return a Flax initializer `(key, shape) -> array` that follows `law`."""

    def init(key, shape):
        kind, size = law(module, leaf, shape)
        if kind == "normal":
            return size * jax.random.normal(key, shape)
        if kind == "uniform":
            return jax.random.uniform(key, shape, minval=-size, maxval=size)
        return jnp.full(shape, size)

    return init


def parameter(module: nn.Module, leaf: str, shape: Sequence[int]) -> Any:
    """Return a module's parameter, created by `law` when initialising.

    `nn.Module.param` alone would trace the initializer at every call, to compare shapes: a fifth of the
    time that tracing a network takes; and drawing is half of what tracing an initialisation takes.
    """
    value = module.get_variable("params", leaf)
    if value is not None and value.shape == tuple(shape):
        return value
    if value is None and module.has_rng(SHAPES):
        module.put_variable("params", leaf, zeros := jnp.zeros(shape))
        return zeros
    return module.param(leaf, from_key(module.name or "", leaf), shape)


def inner_rngs(module: nn.Module) -> dict[str, Any]:
    """What a module that holds another's variables initialises it with."""
    name = SHAPES if module.has_rng(SHAPES) else "params"
    return {name: module.make_rng(name)}


def from_generator(
    rng: np.random.Generator, module: str, leaf: str, shape: Sequence[int], follow: Law = law
) -> np.ndarray:
    """Draw float32 values on the host by the same `law`, or another, without compiling anything."""
    kind, size = follow(module, leaf, shape)
    if kind == "normal":
        return np.float32(size) * rng.standard_normal(shape, np.float32)
    if kind == "uniform":
        return np.float32(size) * (2 * rng.random(shape, np.float32) - 1)
    return np.full(shape, size, np.float32)
