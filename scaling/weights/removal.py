"""A trained network with one block left out: what it answers as if the block were the identity.

Source: Veit et al., arXiv 1605.06431 section 4.1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from scaling.arch.arch import Arch, Sized
from scaling.arch.custom import Custom
from scaling.arch.head import Head
from scaling.models.initialize import abstract_variables
from scaling.models.network import build

FIRST, REST, STACKED = "first", "rest", "blocks"


class Place(NamedTuple):
    """A block: the index of its stage, and its own in the stage."""

    stage: int
    block: int

    def __str__(self) -> str:
        return f"{self.stage}.{self.block}"


def removable(arch: Sized) -> list[Place]:
    """Return the blocks with parameters whose output has the shape of their input.

    ValueError for a network without such blocks, for cells, which read two outputs, and for what does not
    classify images by blocks of ours.
    """
    if isinstance(arch, Custom) or not isinstance(arch.head, Head):
        raise ValueError(f"{arch.name} is no classifier of stages of blocks, of which one could be left out.")  # noqa: TRY004
    if any(stage.block.reads_two for stage in arch.stages):
        raise ValueError(
            f"{arch.name} has cells that read two outputs: leaving one out shifts what others read."
        )
    places, side, channels = [], arch.resolution, arch.in_channels
    held = abstract_variables(build(arch), arch.resolution, arch.in_channels)["params"]
    for i, stage in enumerate(arch.stem + arch.stages, start=-len(arch.stem)):
        after = stage.block.side_after(stage.stride, side, arch.padding)
        keeps = after == side and channels == stage.width
        if i >= 0 and f"stages_{i}" in held:
            places += [Place(i, block) for block in range(0 if keeps else 1, stage.repeats)]
        side, channels = after, stage.width
    if not places:
        raise ValueError(f"{arch.name} has no block that keeps its input's shape: none can be left out.")
    return places


def without(arch: Arch, variables: Mapping[str, Any], place: Place) -> tuple[Arch, dict[str, Any]]:
    """Return the network and the variables less one block of `removable(arch)`."""
    stages, stage = list(arch.stages), arch.stages[place.stage]
    if stage.repeats == 1:
        del stages[place.stage]
    else:
        stages[place.stage] = dataclasses.replace(stage, repeats=stage.repeats - 1)
    smaller = arch.replace(stages=tuple(stages), auxiliary=())
    return smaller, {name: _less(tree, place, len(arch.stages)) for name, tree in variables.items()}


def _less(tree: Mapping[str, Any], place: Place, stages: int) -> dict[str, Any]:
    """A collection less one block; where that was all of its stage, later stages move up."""
    kept = {name: value for name, value in tree.items() if not name.startswith(("stages_", "auxiliary_"))}
    left = [tree.get(f"stages_{i}", {}) for i in range(stages)]
    left[place.stage] = _stage_less(left[place.stage], place.block)
    if not left[place.stage] and tree.get(f"stages_{place.stage}"):
        del left[place.stage]
    return {**kept, **{f"stages_{i}": value for i, value in enumerate(left) if value}}


def _stage_less(tree: Mapping[str, Any], block: int) -> dict[str, Any]:
    """A stage's variables less a block; without its first the second is the first."""
    if not tree or REST not in tree:
        return {}
    stacked = tree[REST][STACKED]
    first, gone = tree[FIRST], block - 1
    if block == 0:
        first, gone = jax.tree.map(lambda leaf: np.asarray(leaf)[0], stacked), 0
    rest = jax.tree.map(lambda leaf: np.delete(np.asarray(leaf), gone, axis=0), stacked)
    emptied = not len(jax.tree.leaves(rest)[0])
    return {FIRST: first} if emptied else {FIRST: first, REST: {STACKED: rest}}
