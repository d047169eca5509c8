"""NAS-Bench-201 (arXiv 2001.00326), also the topology space of NATS-Bench: 5 operations on 6 edges.

Decisions are the edges in the order 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2; node 0 is the cell's input.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path

from scaling.arch.arch import Arch
from scaling.zoo import nasbench201 as networks
from search.core import automaton
from search.core.space import Space, digits
from search.core.table import Table, benchmark_table

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NONE, SKIP = 0, 1
NODES = 4
INPUT, ZERO = "0", "#"

DATASETS = {"c10": "CIFAR-10", "c100": "CIFAR-100", "in16": "ImageNet16-120"}


def edges() -> list[tuple[int, int]]:
    """The (node, input node) of each decision."""
    return [(node, source) for node in range(1, NODES) for source in range(node)]


def write(point: Sequence[int]) -> str:
    """The benchmark's string, e.g. "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+..."."""
    nodes = ["|"] * (NODES - 1)
    for (node, source), value in zip(edges(), point):
        nodes[node - 1] += f"{OPERATIONS[value]}~{source}|"
    return "+".join(nodes)


def read(text: str) -> list[int]:
    """Read the benchmark's string; ValueError where it is not one."""
    names = re.findall(r"\|?([a-z0-9_]+)~\d\|", text)
    point = [OPERATIONS.index(name) for name in names]
    if write(point) != text:
        raise ValueError(f"{text!r} does not list the edges {edges()} in this order.")
    return point


def identity(point: Sequence[int]) -> str:
    """The benchmark's unique string of the function that the cell computes: 6,466 of them.

    A node is written as the sorted terms of its edges, a skip as its source and a zero as "#". The rule is
    kept as it is published, though it tells some equal cells apart: it drops no zero from a sum, and takes
    a skipped sum for one term.
    """
    nodes = [INPUT]
    values = iter(point)
    for node in range(1, NODES):
        nodes.append("+".join(sorted(_term(nodes[source], next(values)) for source in range(node))))
    return nodes[-1]


def _term(source: str, value: int) -> str:
    """What an edge brings."""
    if value == NONE or source == ZERO:
        return ZERO
    return source if value == SKIP else f"({source})@{OPERATIONS[value]}"


def space(filters: int = 16, repeats: int = 5, operations: Sequence[str] = OPERATIONS) -> Space:
    """The cells in the benchmark's network for 10 classes at 32 px, with `filters`, and `repeats` a stage.

    Of fewer `operations`, by the benchmark's names, it is the cells that do only these, and a point's values
    are their places in that list. ValueError for other names, and for one that stands twice.
    """
    if not set(operations) <= set(OPERATIONS) or len(set(operations)) < len(operations):
        raise ValueError(f"operations={list(operations)} must be different ones of {', '.join(OPERATIONS)}.")
    held = [OPERATIONS.index(name) for name in operations]

    def whole(point: Sequence[int]) -> list[int]:
        return [held[value] for value in point]

    def network(point: Sequence[int]) -> Arch:
        return networks.network(networks.cell(digits(whole(point))), filters, repeats)

    return Space(
        "nasbench201",
        automaton.product([len(held)] * len(edges())),
        lambda point: write(whole(point)),
        lambda text: [held.index(value) for value in read(text)],
        lambda point: identity(whole(point)),
        network,
        universal=functools.partial(
            networks.universal, operations=[networks.OPERATIONS[value] for value in held]
        ),
    )


SPACE = space()


def load(directory: Path) -> Table:
    """Read `nasbench201.csv.gz`: accuracies in percent, costs and Zen scores of every cell."""
    return benchmark_table(directory / "nasbench201.csv.gz", SPACE, but=("index", "arch", "iso_class"))
