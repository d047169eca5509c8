"""Initial variables of a network from shapes alone: nothing is compiled, every seed is reproducible."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scaling.models.custom_network import CustomNetwork
from scaling.models.edge_choice import OPTION
from scaling.models.initializers import SHAPES, Law, from_generator, law
from scaling.models.network import Applied, Network


def abstract_variables(net: Any, resolution: int, in_channels: int) -> Any:
    """Return the tree of shapes and dtypes of a network's variables, without computing.

    They are the same whatever the operators; plain convolutions are traced soonest.
    """
    net = net.clone(operators="lax") if isinstance(net, Network) else net
    image = jax.ShapeDtypeStruct((1, resolution, resolution, in_channels), jnp.float32)
    return shapes_of(net, image, train=False)


def shapes_of(module: Applied, x: Any, **call: Any) -> Any:
    """Return the shapes and dtypes of any module's variables; `call` are keywords of its call."""
    key = jax.eval_shape(lambda: jax.random.key(0))
    # our modules draw nothing where they find the second; others draw by the first
    return jax.eval_shape(lambda k, x: module.init({"params": k, SHAPES: k}, x, **call), key, x)


def initialize(net: Any, seed: int = 0, follow: Law = law) -> dict[str, Any]:
    """Return {"params", "batch_stats"} of float32 NumPy arrays for a `Network`, or a user's own.

    Each array is drawn from a generator named by its path, so it depends on the seed and its own
    name alone; stacked layers (below a `blocks` key) are drawn one by one. An operation that a supernet
    holds starts as it would in the network of that operation. "choice", if any, is all zeros. `follow` is
    the law of what is drawn (`scaling.models.initializers`). A user's module draws its own.
    """
    if isinstance(net, CustomNetwork):
        return net.initialize(seed)
    arch = net.arch
    shapes = abstract_variables(net, arch.resolution, arch.in_channels)
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: draw(seed, [entry.key for entry in path], leaf.shape, follow), shapes
    )


def draw(seed: int, names: Sequence[str], shape: tuple[int, ...], follow: Law = law) -> np.ndarray:
    """Return the initial array at a path such as ("params", "classifier", "kernel")."""
    if names[0] == "choice":
        return np.zeros(shape, np.int32)
    names = [name for name in names if not name.startswith(OPTION)]
    rng = np.random.Generator(np.random.PCG64([seed, zlib.crc32("/".join(names).encode())]))
    if "blocks" not in names:
        return from_generator(rng, names[-2], names[-1], shape, follow)
    return np.stack([from_generator(rng, names[-2], names[-1], shape[1:], follow) for _ in range(shape[0])])
