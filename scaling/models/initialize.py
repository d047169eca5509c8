"""Initial variables of a network from shapes alone: nothing is compiled, every seed is reproducible."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from scaling.models.custom_network import CustomNetwork
from scaling.models.edge_choice import OPTION
from scaling.models.initializers import SHAPES, Law, Stated
from scaling.models.network import Applied, Network
from scaling.runs.ranges import check_seed

Follow = Callable[[Law, Sequence[int]], Law]  # another law for an array that states one


def abstract_variables(net: Any, resolution: int, in_channels: int) -> Any:
    """Return the tree of shapes and dtypes of a network's variables, without computing.

    They are the same whatever the operators; plain convolutions are traced soonest.
    """
    return nn.meta.unbox(stated_variables(net, resolution, in_channels))


def stated_variables(net: Any, resolution: int, in_channels: int) -> Any:
    """Return the tree of `abstract_variables`, each of our own in a `Stated` box with its law."""
    image = jax.ShapeDtypeStruct((1, resolution, resolution, in_channels), jnp.float32)
    return _traced(net, image, train=False)


def shapes_of(module: Applied, x: Any, **call: Any) -> Any:
    """Return the shapes and dtypes of any module's variables; `call` are keywords of its call."""
    return nn.meta.unbox(_traced(module, x, **call))


def _traced(module: Applied, x: Any, **call: Any) -> Any:
    if not isinstance(module, Network) or call != {"train": False}:
        return _trace(module, x, **call)
    alike: Any = module.clone(operators="lax", scan=None, dtype=jnp.float32, axis_name=None)
    return jax.tree.map(lambda leaf: leaf, _remembered(alike, x), is_leaf=is_stated)


@functools.lru_cache(maxsize=256)  # to count, to initialise and to measure a network each ask for them
def _remembered(net: Network, x: Any) -> Any:
    return _trace(net, x, train=False)


def _trace(module: Applied, x: Any, **call: Any) -> Any:
    key = jax.eval_shape(lambda: jax.random.key(0))
    # our modules draw nothing where they find the second; others draw by the first
    return jax.eval_shape(lambda k, x: module.init({"params": k, SHAPES: k}, x, **call), key, x)


def initialize(net: Any, seed: int = 0, follow: Follow | None = None) -> dict[str, Any]:
    """Return {"params", "batch_stats"} of float32 NumPy arrays for a `Network`, or a user's own.

    Each array is drawn by the law that it states where it is made, from a generator named by its path, so
    it depends on the seed and its own name alone; stacked layers (below a `blocks` key) are drawn one by one.
    An operation that a supernet holds starts as it would in the network of that operation. "choice", if any,
    is all zeros. `follow` turns the stated laws into others. A user's module draws its own. ValueError for a
    seed below 0 or of more than 63 bits.
    """
    check_seed(seed)
    if isinstance(net, CustomNetwork):
        return net.initialize(seed)
    stated = stated_variables(net, net.arch.resolution, net.arch.in_channels)
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: draw(seed, [entry.key for entry in path], leaf, follow), stated, is_leaf=is_stated
    )


def is_stated(value: Any) -> bool:
    """Whether a value of a tree is an array with its law."""
    return isinstance(value, Stated)


def draw(seed: int, names: Sequence[str], stated: Any, follow: Follow | None = None) -> np.ndarray:
    """Return the initial array at a path such as ("params", "classifier", "kernel"); zeros without a law."""
    if not isinstance(stated, Stated):
        return np.zeros(stated.shape, stated.dtype)
    stacked, shape = "blocks" in names, stated.value.shape
    one = shape[1:] if stacked else shape
    law = follow(stated.law, one) if follow else stated.law
    names = [name for name in names if not name.startswith(OPTION)]
    rng = np.random.Generator(np.random.PCG64([seed, zlib.crc32("/".join(names).encode())]))
    if not stacked:
        return law.by_generator(rng, one)
    return np.stack([law.by_generator(rng, one) for _ in range(shape[0])])
