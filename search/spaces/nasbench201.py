"""NAS-Bench-201 (arXiv 2001.00326), also the topology space of NATS-Bench: 5 operations on 6 edges.

Decisions are the edges in the order 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2; node 0 is the cell's input.
"""

from __future__ import annotations

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


def space(filters: int = 16, repeats: int = 5) -> Space:
    """The cells in the benchmark's network for 10 classes at 32 px, with `filters`, and `repeats` a stage."""

    def network(point: Sequence[int]) -> Arch:
        return networks.network(networks.cell(digits(point)), filters, repeats)

    moves = automaton.product([len(OPERATIONS)] * len(edges()))
    return Space("nasbench201", moves, write, read, identity, network, universal=networks.universal)


SPACE = space()


def load(directory: Path) -> Table:
    """Read `nasbench201.csv.gz`: accuracies in percent, costs and Zen scores of every cell."""
    return benchmark_table(directory / "nasbench201.csv.gz", SPACE, but=("index", "arch", "iso_class"))
