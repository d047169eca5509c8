"""A network of one operation an edge and the supernet that holds it: from one's variables to the other's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scaling.arch.arch import Arch
from scaling.arch.blocks.cell import Cell, options
from scaling.models.edge_choice import OPTION
from scaling.models.network import choosing, kind_of

Choice = Mapping[str, Sequence[int]]  # the operation of each edge, by the names of `choosing`
# For an edge of the supernet its name in the own network and where its variables stand; None: it does nothing
Edges = dict[str, tuple[str, str] | None]


def take(variables: Mapping[str, Any], supernet: Arch, choice: Choice, own: Arch) -> dict[str, Any]:
    """Return the variables of `own`, the network that a supernet is for a choice, out of the supernet's."""
    chosen = _by_stage(supernet, choice, own)
    taken = {
        name: {stage: _taken(tree, chosen.get(stage, {})) for stage, tree in variables[name].items()}
        for name in ("params", "batch_stats")
    }
    return {name: _without_empty(tree) for name, tree in taken.items()}


def put(
    variables: Mapping[str, Any], taken: Mapping[str, Any], supernet: Arch, choice: Choice, own: Arch
) -> dict[str, Any]:
    """Return a supernet's variables with those of one of its networks, `own`, put in their places."""
    chosen = _by_stage(supernet, choice, own)
    new = {
        name: {
            stage: _filled(tree, taken.get(name, {}).get(stage, {}), chosen.get(stage, {}))
            for stage, tree in variables[name].items()
        }
        for name in ("params", "batch_stats")
    }
    return {**variables, **new}


def _by_stage(supernet: Arch, choice: Choice, own: Arch) -> dict[str, Edges]:
    """For each stage of cells that choose, where each edge's variables stand."""
    names = choosing(supernet)
    stages = zip(supernet.stage_names, supernet.stem + supernet.stages, own.stem + own.stages, strict=True)
    return {
        name: _by_edge(stage.block, choice[names[kind_of(stage)]], like.block)
        for name, stage, like in stages
        if isinstance(stage.block, Cell) and isinstance(like.block, Cell) and kind_of(stage) in names
    }


def _by_edge(cell: Cell, choice: Sequence[int], own: Cell) -> Edges:
    """Match the edges that do something with the own cell's, in order; it may lack those that do nothing."""
    edges: Edges = {}
    values = iter(choice)
    for node, (read, own_read) in enumerate(zip(cell.nodes, own.nodes, strict=True)):
        done = [_done(operation, int(next(values))) for operation, _ in read]
        busy = [name for name, (operation, _) in zip(_names(node, read), done) if operation != "none"]
        own_busy = [
            name for name, (operation, _) in zip(_names(node, own_read), own_read) if operation != "none"
        ]
        places = dict(zip(busy, own_busy, strict=True))
        for name, (_, variables) in zip(_names(node, read), done):
            edges[name] = (places[name], variables) if name in places else None
    return edges


def _names(node: int, read: Sequence[Any]) -> list[str]:
    return [f"edge_{node}_{i}" for i in range(len(read))]


def _done(operation: str, value: int) -> tuple[str, str]:
    """The operation that an edge does, and where its variables stand below the edge's: "" for right there."""
    held = options(operation)
    return held[value], OPTION + held[value] if len(held) > 1 else ""


def _taken(tree: Any, chosen: Edges) -> Any:
    if not isinstance(tree, Mapping):
        return tree
    taken = {name: _taken(below, chosen) for name, below in tree.items() if name not in chosen}
    for name, place in chosen.items():
        if place and name in tree:
            own_name, variables = place
            taken[own_name] = tree[name].get(variables, {}) if variables else tree[name]
    return taken


def _filled(tree: Any, own: Any, chosen: Edges) -> Any:
    if not isinstance(tree, Mapping):
        return own
    filled = dict(tree)
    for name, below in tree.items():
        if name not in chosen:
            filled[name] = _filled(below, own[name], chosen) if name in own else below
            continue
        own_name, variables = chosen[name] or ("", "")
        if own_name in own:
            filled[name] = {**below, variables: own[own_name]} if variables else own[own_name]
    return filled


def _without_empty(tree: Any) -> Any:
    if not isinstance(tree, Mapping):
        return tree
    kept = {name: _without_empty(below) for name, below in tree.items()}
    return {name: below for name, below in kept.items() if not isinstance(below, Mapping) or below}
