"""A network of one operation an edge and the supernet that holds it: from one's variables to the other's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scaling.arch import Arch
from scaling.cells import Cell
from scaling.models.choice import OPTION
from scaling.models.network import choosing

Choice = Mapping[str, Sequence[int]]  # the operation of each edge, by the names of `choosing`


def take(variables: Mapping[str, Any], supernet: Arch, choice: Choice) -> dict[str, Any]:
    """Return the variables of the network that a supernet is for a choice, as that network has them."""
    chosen = _by_stage(supernet, choice)
    taken = {
        name: {stage: _taken(tree, chosen.get(stage, {})) for stage, tree in variables[name].items()}
        for name in ("params", "batch_stats")
    }
    return {name: _without_empty(tree) for name, tree in taken.items()}


def put(
    variables: Mapping[str, Any], own: Mapping[str, Any], supernet: Arch, choice: Choice
) -> dict[str, Any]:
    """Return a supernet's variables with those of one of its networks put in their places."""
    chosen = _by_stage(supernet, choice)
    new = {
        name: {
            stage: _filled(tree, own.get(name, {}).get(stage, {}), chosen.get(stage, {}))
            for stage, tree in variables[name].items()
        }
        for name in ("params", "batch_stats")
    }
    return {**variables, **new}


def _by_stage(supernet: Arch, choice: Choice) -> dict[str, dict[str, str]]:
    """For each stage of cells that choose, the variable that stands for each edge's operation."""
    names = choosing(supernet)
    stages = zip(supernet.stage_names, supernet.stem + supernet.stages)
    return {
        name: _by_edge(stage.block, choice[names[stage.block]])
        for name, stage in stages
        if isinstance(stage.block, Cell) and stage.block in names
    }


def _by_edge(cell: Cell, choice: Sequence[int]) -> dict[str, str]:
    edges = [f"edge_{node}_{i}" for node, read in enumerate(cell.nodes) for i in range(len(read))]
    return {
        edge: OPTION + held[int(value)]
        for edge, held, value in zip(edges, cell.edges, choice, strict=True)
        if len(held) > 1
    }


def _taken(tree: Any, chosen: Mapping[str, str]) -> Any:
    if not isinstance(tree, Mapping):
        return tree
    return {
        name: below.get(chosen[name], {}) if name in chosen else _taken(below, chosen)
        for name, below in tree.items()
    }


def _filled(tree: Any, own: Any, chosen: Mapping[str, str]) -> Any:
    if not isinstance(tree, Mapping):
        return own
    filled = dict(tree)
    for name, below in tree.items():
        if name in chosen and name in own:
            filled[name] = {**below, chosen[name]: own[name]}
        elif name not in chosen and name in own:
            filled[name] = _filled(below, own[name], chosen)
    return filled


def _without_empty(tree: Any) -> Any:
    if not isinstance(tree, Mapping):
        return tree
    kept = {name: _without_empty(below) for name, below in tree.items()}
    return {name: below for name, below in kept.items() if not isinstance(below, Mapping) or below}
