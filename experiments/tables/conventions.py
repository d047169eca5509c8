"""What published counts of multiply-adds count: each convention as a function of an architecture.

They agree on the products of convolutions and matrices and part on what is added to them. Ours are those
of facebookresearch/pycls (see `scaling.cost.counting`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from flax import linen as nn

from scaling.arch.arch import Arch
from scaling.cost.counting import Cost, count, count_module
from scaling.models.layers import BatchNorm, LayerNorm
from scaling.models.network import Network


def products_and_biases(arch: Arch) -> int:
    """Products and bias additions: this project's counts, and those of pycls."""
    return count(arch).macs


def products(arch: Arch) -> int:
    """Products alone: torchvision's weights metadata, and most papers."""
    return _products(count(arch, layers=True))


@functools.lru_cache(maxsize=64)
def fvcore(arch: Arch) -> int:
    """Products plus 2 per value read by batch norm, 5 by layer norm, 1 by the last pooling, as timm counts.

    Source: facebookresearch/fvcore fvcore/nn/jit_handles.py, by which timm's benchmark.py counts.
    """
    cost, read = _watched(arch)
    normalised = sum(NORMS[module] * size for module, size in read.items())
    return _products(cost) + normalised + _values_pooled(arch, cost)


NORMS = {BatchNorm: 2, LayerNorm: 5}


def _products(cost: Cost) -> int:
    return sum(layer.macs - layer.biases for layer in cost.layers)


def _watched(arch: Arch) -> tuple[Cost, dict[type, int]]:
    """The count of a network, and how many values each kind of norm reads in one pass of one image."""
    read = dict.fromkeys(NORMS, 0)

    def watch(call, args, kwargs, context):
        if isinstance(context.module, Network) and context.method_name == "__call__":
            read.update(dict.fromkeys(NORMS, 0))  # the first pass makes the variables, the last is walked
        if type(context.module) in read:
            read[type(context.module)] += math.prod(args[0].shape)
        return call(*args, **kwargs)

    net = Network(arch, scan=False, operators="lax")
    with nn.intercept_methods(watch):
        return count_module(net, arch.input_shape, layers=True, train=False), read


def _values_pooled(arch: Arch, cost: Cost) -> int:
    """How many values the average before the classifier reads; none where hidden layers come first."""
    if arch.head.hidden or arch.head.per_pixel:
        return 0
    *body, classifier = (layer for layer in cost.layers if layer.output_shape)
    side = next(layer.output_shape[0] for layer in reversed(body) if "/se/" not in layer.name)
    channels = (classifier.params - classifier.biases) // arch.num_classes
    return side * side * channels


CONVENTIONS: dict[str, Callable[[Arch], int]] = {
    "pycls": products_and_biases,
    "products": products,
    "fvcore": fvcore,
}
