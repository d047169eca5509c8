"""Which vectors are valid, as an automaton that reads a vector from left to right.

`moves[i, s, v]` is the state after decision i takes value v in state s, or -1 where v is not allowed there.
State 0 comes first. What cannot be completed is cut off, so an allowed value always leads to a valid vector.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

Counted = TypeVar("Counted", bound=Hashable)  # what a rule remembers of the decisions before

Moves = list[list[dict[int, int]]]  # by decision, then state: {value: state after it}


def product(cardinalities: Sequence[int]) -> np.ndarray:
    """Moves where every combination of values is valid."""
    return _array([[dict.fromkeys(range(c), 0)] for c in cardinalities])


def from_rule(
    cardinalities: Sequence[int],
    start: Counted,
    step: Callable[[Counted, int, int], Counted | None],
    accept: Callable[[Counted], bool],
) -> np.ndarray:
    """The moves of a rule: `step(state, decision, value)` is the next state, None if not allowed.

    A vector is valid where `accept` holds of its last state. ValueError where no vector is valid.
    """
    layers: list[dict[Counted, dict[int, Counted]]] = []
    states: list[Counted] = [start]
    for i, cardinality in enumerate(cardinalities):
        steps = {s: {v: step(s, i, v) for v in range(cardinality)} for s in states}
        layers.append({s: {v: t for v, t in row.items() if t is not None} for s, row in steps.items()})
        states = list(dict.fromkeys(t for row in layers[-1].values() for t in row.values()))
    return _prune(layers, {s for s in states if accept(s)}, start)


def from_points(points: Sequence[Sequence[int]]) -> np.ndarray:
    """Moves by which exactly these vectors are valid; equal endings share their states."""
    by_prefix: dict[tuple[int, ...], int] = dict.fromkeys(map(tuple, points), 0)
    layers: Moves = []
    for i in reversed(range(len(points[0]))):
        rows: dict[tuple[int, ...], dict[int, int]] = {}
        for prefix, state in by_prefix.items():
            rows.setdefault(prefix[:i], {})[prefix[i]] = state
        endings: dict[tuple, int] = {}
        by_prefix = {
            p: endings.setdefault(tuple(sorted(row.items())), len(endings)) for p, row in rows.items()
        }
        layers.insert(0, [dict(ending) for ending in endings])
    return _array(layers)


def completions(moves: np.ndarray) -> np.ndarray:
    """How many valid endings follow each move, [L, S, K], as Python integers (they may be large)."""
    counts = np.zeros(moves.shape, object)
    after = np.ones(moves.shape[1], object)
    for i in reversed(range(len(moves))):
        counts[i] = np.where(moves[i] >= 0, after[moves[i]], 0)
        after = counts[i].sum(-1)
    return counts


def _prune(layers: Sequence[Mapping], alive: set, start: Hashable) -> np.ndarray:
    """Number the states and drop the moves into states that no accepted vector passes."""
    pruned: Moves = []
    numbers: dict[Hashable, int] = dict.fromkeys(alive, 0)
    for layer in reversed(layers):
        rows = {s: {v: numbers[t] for v, t in row.items() if t in numbers} for s, row in layer.items()}
        numbers = {s: i for i, s in enumerate(s for s, row in rows.items() if row)}
        pruned.insert(0, [rows[s] for s in numbers])
    if start not in numbers:
        raise ValueError("no vector of the space satisfies its rule: loosen the rule or add values.")
    return _array(pruned)


def _array(layers: Moves) -> np.ndarray:
    states = max(map(len, layers))
    values = 1 + max(value for layer in layers for row in layer for value in row)
    moves = np.full((len(layers), states, values), -1, np.int32)
    for i, layer in enumerate(layers):
        for state, row in enumerate(layer):
            for value, after in row.items():
                moves[i, state, value] = after
    return moves
