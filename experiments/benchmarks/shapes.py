"""The operators that a network runs, with how often: recorded from the network itself, not typed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import jax
import jax.numpy as jnp
from flax import linen as nn

from experiments.benchmarks.tasks import Operator
from scaling.arch.arch import Arch
from scaling.models.initialize import abstract_variables
from scaling.models.layers import BatchNorm, Convolution, SqueezeExcite
from scaling.models.network import Network

OPS = ("depthwise", "pointwise", "dense", "grouped", "norm", "se")


def operators(arch: Arch, ops: tuple[str, ...], mode: str, batch: int, dtype: str) -> list[Operator]:
    """Return the distinct operators of some kinds, each with its count, in the order of the network."""
    seen = Counter(_calls(arch))
    return [
        Operator(arch.name, *shape, padding=arch.padding, times=times, mode=mode, batch=batch, dtype=dtype)
        for shape, times in seen.items()
        if shape[0] in ops
    ]


def _calls(arch: Arch) -> list[tuple]:
    """(op, side, channels, features, kernel, stride, groups, activation) of every layer."""
    net = Network(arch, scan=False, operators="lax")
    variables = abstract_variables(net, arch.resolution, arch.in_channels)
    image = jax.ShapeDtypeStruct((1, arch.resolution, arch.resolution, arch.in_channels), jnp.float32)
    calls: list[tuple] = []

    def record(call, args, kwargs, context):
        if context.method_name == "__call__":
            calls.extend(_described(context.module, args[0].shape if args else (), arch.activation))
        return call(*args, **kwargs)

    with nn.intercept_methods(record):
        jax.eval_shape(lambda v, x: net.apply(v, x, train=False), variables, image)
    return calls


def _described(module: nn.Module, shape: tuple[int, ...], activation: str) -> Iterator[tuple]:
    if isinstance(module, Convolution) and not (module.kernel == 1 and shape[1] == 1):
        op = _kind(module, shape[-1])
        yield op, shape[1], shape[-1], module.features, module.kernel, module.stride, module.groups, ""
    elif isinstance(module, BatchNorm):
        yield "norm", shape[1], shape[-1], shape[-1], 1, 1, 1, activation if module.act else ""
    elif isinstance(module, SqueezeExcite):
        yield "se", shape[1], shape[-1], module.squeeze, 1, 1, 1, module.activation


def _kind(module: Convolution, channels: int) -> str:
    if module.groups > 1:
        return "depthwise" if module.groups == channels == module.features else "grouped"
    return "pointwise" if module.kernel == 1 else "dense"
