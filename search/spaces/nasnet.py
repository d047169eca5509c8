"""NASNet cells (arXiv 1707.07012): a normal and a reduction cell of blocks of two inputs and two operations.

A block's decisions are state, operation, state, operation, as ENAS writes them; state 0 is the cell's older
input, 1 the newer, and each block adds one. The two terms of a block are added (the paper's controller may
also join them, which no cell does that it published).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling.arch.arch import Arch
from scaling.arch.blocks.cell import OPERATIONS, Cell
from scaling.runs.spec import nearest
from scaling.zoo import enas, nasnet
from scaling.zoo.cell_supernet import universal
from search.core import automaton
from search.core.space import Space
from search.spaces.cell_graph import Graph

INPUTS, EDGES = 2, 2

# What a block may do: arXiv 1707.07012 section 3, with inner widths as in the authors' code of AmoebaNet;
# arXiv 1802.03268 section 2.3
OPERATION_SETS = {
    "nasnet": (
        "skip", "conv_1x3_3x1", "conv_1x7_7x1", "squeezed_dil_3x3", "avg_3x3", "max_3x3", "max_5x5", "max_7x7",
        "conv_1x1", "squeezed_3x3", "sep_3x3", "sep_5x5", "sep_7x7",
    ),
    "enas": enas.OPERATIONS,
}  # fmt: skip

# Which states leave a cell: those that no block reads, as the papers say; with a decision a state, some of
# the others too, as in the published code of NASNet-A and AmoebaNet-A; or all blocks', as in DARTS. Only the
# last gives all cells the same width of filters, which a supernet needs
LEAVING = ("unread", "chosen", "all")


@dataclass(frozen=True)
class Skeleton:
    """`network(name, normal, reduction, filters, repeats)` around two cells, and the fields of these."""

    network: Callable[..., Arch]
    strided_skip: str = "conv"
    entries: int = 1
    raw_first: bool = True


SKELETONS = {
    "cifar": Skeleton(nasnet.network_cifar),
    "mobile": Skeleton(nasnet.network_mobile),
    "enas": Skeleton(enas.network, "bare_factorized", entries=2, raw_first=False),
}


@dataclass(frozen=True)
class Language:
    """How two cells stand in a point: the blocks of one, if chosen a bit a state, then the other's."""

    blocks: int
    operations: tuple[str, ...]
    leaving: str
    skeleton: Skeleton

    @property
    def chosen(self) -> bool:
        """Whether decisions say which states leave."""
        return self.leaving == "chosen"

    @property
    def bits(self) -> int:
        """States whose leaving is decided; the last leaves always."""
        return INPUTS + self.blocks - 1 if self.chosen else 0

    @property
    def length(self) -> int:
        """Decisions of one cell."""
        return 2 * EDGES * self.blocks + self.bits

    def moves(self) -> np.ndarray:
        """The automaton: a state that no block reads leaves."""
        edges = [n for b in range(self.blocks) for n in (INPUTS + b, len(self.operations)) * EDGES]
        cardinalities = (edges + [2] * self.bits) * 2
        if not self.chosen:
            return automaton.product(cardinalities)
        return automaton.from_rule(cardinalities, frozenset(), self._step, lambda read: True)

    def _step(self, read: frozenset[int], decision: int, value: int) -> frozenset[int] | None:
        place = decision % self.length
        bit = place - 2 * EDGES * self.blocks
        if bit >= 0 and value == 0 and bit not in read:
            return None
        if place == self.length - 1:
            return frozenset()
        return read | {value} if bit < 0 and place % 2 == 0 else read

    def graphs(self, point: Sequence[int]) -> tuple[Graph, Graph]:
        """The normal and the reduction cell of a point."""
        return self._graph(point[: self.length]), self._graph(point[self.length :])

    def _graph(self, values: Sequence[int]) -> Graph:
        numbers, bits = values[: 2 * EDGES * self.blocks], values[2 * EDGES * self.blocks :]
        edges = list(zip(numbers[::2], numbers[1::2]))
        also = {state for state, bit in enumerate(bits) if bit}
        return Graph(tuple(zip(edges[::2], edges[1::2])), self._leaving(edges) | also)

    def _leaving(self, edges: Sequence[tuple[int, int]]) -> frozenset[int]:
        """The states that leave whatever a decision says."""
        if self.leaving == "all":
            return frozenset(range(INPUTS, INPUTS + self.blocks))
        return frozenset(range(INPUTS + self.blocks)) - {state for state, _ in edges}

    def point(self, graphs: Sequence[Graph]) -> list[int]:
        """The reverse of `graphs`; ValueError where states leave that the language has no words for."""
        values = []
        for graph in graphs:
            edges = [edge for block in graph.blocks for edge in block]
            if not self.chosen and graph.leaving != self._leaving(edges):
                raise ValueError(
                    f"states {sorted(graph.leaving)} leave, but leaving={self.leaving!r} means "
                    f"{sorted(self._leaving(edges))}: say leaving='chosen'."
                )
            values += [value for edge in edges for value in edge]
            values += [int(state in graph.leaving) for state in range(self.bits)]
        return values

    def first(self, point: Sequence[int]) -> list[int]:
        """The first point whose cells are isomorphic to this one's."""
        return self.point([graph.first() for graph in self.graphs(point)])

    def cells(self, point: Sequence[int]) -> tuple[Cell, Cell]:
        """The normal and the reduction cell as the zoo has them."""
        normal, reduction = (self._cell(graph) for graph in self.graphs(point))
        return normal, reduction

    def _cell(self, graph: Graph) -> Cell:
        nodes = tuple(tuple((self.operations[op], state) for state, op in block) for block in graph.blocks)
        form = self.skeleton
        leaving = tuple(sorted(graph.leaving))
        return Cell(nodes, leaving, INPUTS, form.strided_skip, form.entries, form.raw_first)

    def encode(self, normal: Cell, reduction: Cell) -> list[int]:
        """The point of two cells; ValueError where an operation is not one of the language's."""
        return self.point([self._numbered(cell) for cell in (normal, reduction)])

    def _numbered(self, cell: Cell) -> Graph:
        blocks = tuple(tuple((state, self.operations.index(op)) for op, state in node) for node in cell.nodes)
        return Graph(blocks, frozenset(cell.concat))

    def write(self, point: Sequence[int]) -> str:
        """NAS-Bench-201's notation for both cells: "|sep_5x5~1|sep_3x3~0|+...>0,2,3/|...", > where chosen."""
        return "/".join(map(self._write, self.graphs(point)))

    def _write(self, graph: Graph) -> str:
        blocks = ("".join(f"|{self.operations[op]}~{state}" for state, op in block) for block in graph.blocks)
        text = "+".join(f"{block}|" for block in blocks)
        return f"{text}>{','.join(map(str, sorted(graph.leaving)))}" if self.chosen else text

    def read(self, text: str) -> list[int]:
        """Read what `write` wrote; ValueError where it is not that."""
        point = self.point([self._read(cell) for cell in text.split("/")])
        if self.write(point) != text:
            raise ValueError(f"{text!r} must give two cells of {self.blocks} blocks of {EDGES} operations.")
        return point

    def _read(self, text: str) -> Graph:
        blocks, _, leaving = text.partition(">")
        edges = [
            (int(state), self.operations.index(name))
            for name, state in re.findall(r"([a-z0-9_]+)~(\d+)", blocks)
        ]
        chosen = frozenset(map(int, leaving.split(","))) if leaving else self._leaving(edges)
        return Graph(tuple(zip(edges[::2], edges[1::2])), chosen)


def language(
    blocks: int = 5,
    operations: str | Sequence[str] = "nasnet",
    leaving: str = "unread",
    skeleton: str = "cifar",
) -> Language:
    """The language of cells of `blocks` blocks.

    `operations` is the name of a set, or names in `scaling.arch.blocks.cell`. ValueError for a setting that
    does not exist.
    """
    if isinstance(operations, str):
        _check("operations", operations, OPERATION_SETS)
        operations = OPERATION_SETS[operations]
    for operation in operations:
        _check("operations", operation, OPERATIONS)
    _check("leaving", leaving, LEAVING)
    _check("skeleton", skeleton, SKELETONS)
    if blocks < 1 or len(set(operations)) < max(1, len(operations)):
        raise ValueError(
            f"blocks={blocks}, operations={list(operations)}: say one block and one operation at least, each once."
        )
    return Language(blocks, tuple(operations), leaving, SKELETONS[skeleton])


def _check(setting: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise ValueError(
            f"{setting}={value!r} is not one of {', '.join(known)}{nearest(value, known) or ': choose one.'}"
        )


def space(language: Language, **network: Any) -> Space:
    """All pairs of cells that a language has words for.

    `network` may give the skeleton's `filters` (int) and `repeats` (normal cells of each stage). Cells that
    differ only in the order of blocks, and of the terms in a block, are one network. With leaving="all" there
    is a supernet.
    """
    build = language.skeleton.network
    settings = {name: tuple(value) if name == "repeats" else value for name, value in network.items()}
    return Space(
        "nasnet",
        language.moves(),
        language.write,
        language.read,
        network=lambda point: build("nasnet_cells", *language.cells(point), **settings),
        normal_form=language.first,
        universal=(lambda arch: universal(arch, language.operations)) if language.leaving == "all" else None,
    )
