"""A cell of blocks with several inputs, in numbers, and the first of all cells that are isomorphic to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

Edge = tuple[int, int]  # (state that is read, operation)
Blocks = tuple[tuple[Edge, ...], ...]


@dataclass(frozen=True)
class Graph:
    """The edges of each block, and the states that leave: `inputs` come first, then one a block."""

    blocks: Blocks
    leaving: frozenset[int]
    inputs: int = 2

    @property
    def states(self) -> range:
        """The states of blocks."""
        return range(self.inputs, self.inputs + len(self.blocks))

    def first(self) -> Graph:
        """The least, by blocks and then by whether each state leaves, of all isomorphic cells."""
        return min((self._ordered(order) for order in self._orders(())), key=Graph._key)

    def _key(self) -> tuple[Blocks, list[bool]]:
        return self.blocks, [state in self.leaving for state in (*range(self.inputs), *self.states)]

    def _ordered(self, order: tuple[int, ...]) -> Graph:
        """The same cell with its blocks in another order, each with its edges sorted."""
        places = self._places(order)
        blocks = tuple(self._renamed(state, places) for state in order)
        return Graph(blocks, frozenset(places[state] for state in self.leaving), self.inputs)

    def _orders(self, order: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """The orders of blocks that begin with `order` and go on with the least blocks.

        Next is the least block of those whose inputs stand already. Of equal ones all are tried, but only
        one of those that the same blocks read in the same way: to exchange them changes nothing.
        """
        if len(order) == len(self.blocks):
            yield order
            return
        places = self._places(order)
        ready = {state: self._renamed(state, places) for state in self.states if self._is_next(state, places)}
        least = min(ready.values())
        alike = {self._role(state): state for state, block in ready.items() if block == least}
        for state in alike.values():
            yield from self._orders((*order, state))

    def _places(self, order: tuple[int, ...]) -> dict[int, int]:
        return {state: place for place, state in enumerate((*range(self.inputs), *order))}

    def _renamed(self, state: int, places: dict[int, int]) -> tuple[Edge, ...]:
        return tuple(sorted((places[source], op) for source, op in self.blocks[state - self.inputs]))

    def _is_next(self, state: int, places: dict[int, int]) -> bool:
        sources = (source for source, _ in self.blocks[state - self.inputs])
        return state not in places and all(source in places for source in sources)

    def _role(self, state: int) -> tuple:
        """Whether a state leaves, and by which operations each block reads it."""
        readers = (sorted(op for source, op in block if source == state) for block in self.blocks)
        return state in self.leaving, tuple(map(tuple, readers))
