"""What published counts of multiply-adds count: each convention as a function of an architecture.

They agree on the products of convolutions and matrices and part on what is added to them. Ours are those
of facebookresearch/pycls (see `scaling.cost.counting`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn

from scaling.arch.arch import Arch
from scaling.cost.counting import count
from scaling.models.initialize import abstract_variables
from scaling.models.layers import BatchNorm, LayerNorm
from scaling.models.network import Network


def products_and_biases(arch: Arch) -> int:
    """Products and bias additions: this project's counts, and those of pycls."""
    return count(arch).macs


def products(arch: Arch) -> int:
    """Products alone: torchvision's weights metadata, and most papers."""
    return sum(layer.macs - layer.biases for layer in count(arch, layers=True).layers)


def fvcore(arch: Arch) -> int:
    """Products plus 2 per value read by batch norm, 5 by layer norm, 1 by the last pooling, as timm counts.

    Source: facebookresearch/fvcore fvcore/nn/jit_handles.py, by which timm's benchmark.py counts.
    """
    normalised = sum(NORMS[module] * size for module, size in _values_read(arch).items())
    return products(arch) + normalised + _values_pooled(arch)


NORMS = {BatchNorm: 2, LayerNorm: 5}


def _values_read(arch: Arch) -> dict[type, int]:
    """How many values each kind of norm reads in one forward pass of one image."""
    read: dict[type, int] = dict.fromkeys(NORMS, 0)

    def watch(call, args, kwargs, context):
        if type(context.module) in read:
            read[type(context.module)] += math.prod(args[0].shape)
        return call(*args, **kwargs)

    net, side = Network(arch, scan=False), arch.resolution
    image = jax.ShapeDtypeStruct((1, side, side, arch.in_channels), jnp.float32)
    variables = abstract_variables(net, side, arch.in_channels)
    with nn.intercept_methods(watch):
        jax.eval_shape(net.apply, variables, image)
    return read


def _values_pooled(arch: Arch) -> int:
    """How many values the average before the classifier reads; none where hidden layers come first."""
    if arch.head.hidden or arch.head.per_pixel:
        return 0
    *body, classifier = (layer for layer in count(arch, layers=True).layers if layer.output_shape)
    side = next(layer.output_shape[0] for layer in reversed(body) if "/se/" not in layer.name)
    channels = (classifier.params - classifier.biases) // arch.num_classes
    return side * side * channels


CONVENTIONS: dict[str, Callable[[Arch], int]] = {
    "pycls": products_and_biases,
    "products": products,
    "fvcore": fvcore,
}
