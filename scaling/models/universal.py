"""A network of one operation an edge and the supernet that holds it: from one's variables to the other's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scaling.arch import Arch
from scaling.cells import Cell
from scaling.models.choice import OPTION
from scaling.models.network import choosing, kind_of

Choice = Mapping[str, Sequence[int]]  # the operation of each edge, by the names of `choosing`
# For an edge of the supernet its name in the own network and its operation's name; None where it does nothing
Edges = dict[str, tuple[str, str] | None]


def take(variables: Mapping[str, Any], supernet: Arch, choice: Choice, own: Arch) -> dict[str, Any]:
    """Return the variables of the network that a supernet is for a choice, as that network, `own`, has them."""
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
    """The edges that do something are those of the own cell that do, in this order; it may lack the others."""
    edges: Edges = {}
    done = iter(held[int(value)] for held, value in zip(cell.edges, choice, strict=True))
    for node, (read, own_read) in enumerate(zip(cell.nodes, own.nodes, strict=True)):
        doing = {f"edge_{node}_{i}": next(done) for i in range(len(read))}
        edges |= dict.fromkeys(doing)
        busy = [name for name, operation in doing.items() if operation != "none"]
        own_busy = [f"edge_{node}_{i}" for i, (operation, _) in enumerate(own_read) if operation != "none"]
        edges |= {
            name: (own_name, OPTION + doing[name]) for name, own_name in zip(busy, own_busy, strict=True)
        }
    return edges


def _taken(tree: Any, chosen: Edges) -> Any:
    if not isinstance(tree, Mapping):
        return tree
    taken = {name: _taken(below, chosen) for name, below in tree.items() if name not in chosen}
    for name, place in chosen.items():
        if place and name in tree:
            own_name, operation = place
            taken[own_name] = tree[name].get(operation, {})
    return taken


def _filled(tree: Any, own: Any, chosen: Edges) -> Any:
    if not isinstance(tree, Mapping):
        return own
    filled = dict(tree)
    for name, below in tree.items():
        if name not in chosen:
            filled[name] = _filled(below, own[name], chosen) if name in own else below
            continue
        own_name, operation = chosen[name] or ("", "")
        if own_name in own:
            filled[name] = {**below, operation: own[own_name]}
    return filled


def _without_empty(tree: Any) -> Any:
    if not isinstance(tree, Mapping):
        return tree
    kept = {name: _without_empty(below) for name, below in tree.items()}
    return {name: below for name, below in kept.items() if not isinstance(below, Mapping) or below}
