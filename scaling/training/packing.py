"""A tree of many small arrays as one or two long vectors, and back.

A network has hundreds of parameters, and whatever touches each of them (update rule, averages, sums
over devices) costs one small program each: on a CPU most of the compile time, on a GPU a launch. On
the devices they are packed; on the host, in checkpoints and in networks they keep their names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax

from scaling.training.state import TrainState

DECAYED, KEPT = "decayed", "kept"


@dataclass(frozen=True)
class Layout:
    """What a tree looked like: its structure, the leaves' shapes, and each leaf's vector."""

    structure: Any
    shapes: tuple[tuple[int, ...], ...]
    groups: tuple[str, ...]


@struct.dataclass
class Packed:
    """Equal-typed leaves of a tree, end to end, in one vector a group."""

    vectors: dict[str, Any]
    layout: Layout = struct.field(pytree_node=False)

    def tree(self) -> Any:
        """Return the tree of arrays (splits, whose gradient is one concatenation)."""
        layout = self.layout
        flat: dict[str, Any] = {}
        for group, vector in self.vectors.items():
            sizes = [math.prod(s) for s, g in zip(layout.shapes, layout.groups) if g == group]
            cuts = np.split(vector, np.cumsum(sizes)[:-1]) if _on_host(vector) else lax.split(vector, sizes)
            flat[group] = iter(cuts)
        leaves = [next(flat[group]).reshape(shape) for shape, group in zip(layout.shapes, layout.groups)]
        return jax.tree.unflatten(layout.structure, leaves)


def layout_of(tree: Any, decayed: Any) -> Layout:
    """Plan the packing of a tree; `decayed` is a tree of bools that puts each leaf in a vector."""
    leaves, structure = jax.tree.flatten(tree)
    groups = tuple(DECAYED if flag else KEPT for flag in jax.tree.leaves(decayed))
    return Layout(structure, tuple(leaf.shape for leaf in leaves), groups)


def pack(tree: Any, layout: Layout) -> Packed:
    """Lay the leaves of a tree end to end, in the order of the tree."""
    leaves = jax.tree.leaves(tree)
    vectors = {}
    for group in sorted(set(layout.groups)):
        chosen = [leaf.reshape(-1) for leaf, g in zip(leaves, layout.groups) if g == group]
        vectors[group] = np.concatenate(chosen) if _on_host(chosen[0]) else jnp.concatenate(chosen)
    return Packed(vectors, layout)


def tree_of(value: Any) -> Any:
    """Return the named tree of a packed or unpacked collection."""
    return value.tree() if isinstance(value, Packed) else value


def whole(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the named collections of a network from packed or unpacked ones, the "frozen" part put in."""
    trained = {name: tree_of(tree) for name, tree in variables.items() if name != "frozen"}
    held = variables.get("frozen") or {}
    return {name: {**held.get(name, {}), **trained.get(name, {})} for name in {**held, **trained}}


def at_paths(function: Callable[..., Any], tree: Any, where: Callable[[str], bool], *others: Any) -> Any:
    """Return a named tree whose leaves at paths ("decoder/rpn/conv_0/kernel") where `where` holds are
    `function` of them and of the others' leaves there."""

    def changed(keys, leaf, *rest):
        path = "/".join(str(key.key) for key in keys)
        return function(leaf, *rest) if where(path) else leaf

    return jax.tree_util.tree_map_with_path(changed, tree, *others)


def like(value: Any, tree: Any) -> Any:
    """Return `tree` packed as `value` is, or as it is where `value` is a tree."""
    return pack(tree, value.layout) if isinstance(value, Packed) else tree


def pack_state(state: TrainState, decay_mask: Callable[[Any], Any]) -> TrainState:
    """Pack parameters, statistics, and whatever the optimizer and the averages hold of their form.

    Decayed and other parameters go into a vector each, so that decay needs no mask of numbers.
    """
    layouts = [
        layout_of(state.params, decay_mask(state.params)),
        layout_of(state.batch_stats, jax.tree.map(lambda _: False, state.batch_stats)),
    ]
    by_structure = {layout.structure: layout for layout in layouts if layout.shapes}

    def packed(node):
        layout = by_structure.get(jax.tree.structure(node))
        return node if layout is None else pack(node, layout)

    return jax.tree.map(packed, state, is_leaf=lambda node: jax.tree.structure(node) in by_structure)


def unpack_state(state: TrainState) -> TrainState:
    """Return the state as named trees."""
    return jax.tree.map(tree_of, state, is_leaf=lambda node: isinstance(node, Packed))


def _on_host(array: Any) -> bool:
    return isinstance(array, np.ndarray)
