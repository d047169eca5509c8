"""The cell language: a small graph of named operations that a stage repeats, as a frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from scaling.arch.blocks.base import Block


@dataclass(frozen=True)
class Operation:
    """What an edge does. `kind` is one of the methods of `scaling.models.cell_edges.Edge`.

    `kernels` are (rows, columns), one convolution or pooling each; `layers` how often a separable
    convolution repeats; convolutions work at 1 / `squeeze` of the filters, between two 1x1 ones.
    """

    kind: str
    kernels: tuple[tuple[int, int], ...] = ()
    layers: int = 1
    dilation: int = 1
    squeeze: Fraction = Fraction(1)


def _separable(kernel: int, layers: int = 2, dilation: int = 1) -> Operation:
    return Operation("separable", ((kernel, kernel),), layers, dilation)


# Every convolution comes after the activation and before a norm. Where an input is not as wide as the
# cell's filters, poolings are followed by a 1x1 convolution and a norm, and "skip" is one.
OPERATIONS = {
    "none": Operation("none"),
    "skip": Operation("skip"),
    "avg_3x3": Operation("average", ((3, 3),)),
    # padded pixels count as zeros: timm's form of a strided average (TensorFlow's leaves them out)
    "avg_3x3_zeros": Operation("average_zeros", ((3, 3),)),
    "max_3x3": Operation("maximum", ((3, 3),)),
    "max_5x5": Operation("maximum", ((5, 5),)),
    "max_7x7": Operation("maximum", ((7, 7),)),
    "sep_3x3": _separable(3),
    "sep_5x5": _separable(5),
    "sep_7x7": _separable(7),
    "dil_3x3": _separable(3, layers=1, dilation=2),
    "dil_5x5": _separable(5, layers=1, dilation=2),
    "conv_1x1": Operation("convolutions", ((1, 1),)),
    "conv_3x3": Operation("convolutions", ((3, 3),)),
    # tensorflow/tpu models/official/amoeba_net/network_utils.py
    "squeezed_3x3": Operation("convolutions", ((3, 3),), squeeze=Fraction(4)),
    "squeezed_dil_3x3": Operation("convolutions", ((3, 3),), dilation=2, squeeze=Fraction(4)),
    "conv_1x3_3x1": Operation("convolutions", ((1, 3), (3, 1)), squeeze=Fraction(8, 3)),
    "conv_1x7_7x1": Operation("convolutions", ((1, 7), (7, 1)), squeeze=Fraction(4)),
    # average over squares of the stride's side, then a bare 1x1 convolution: NAS-Bench-201's shortcut
    "shrink": Operation("shrink"),
}

# Between the names of the operations that an edge chooses among: a network's `choice` says which it does
OR = "|"

# What "skip" is where it has a stride: a 1x1 convolution of that stride (NASNet, PNASNet, AmoebaNet) or a
# factorized reduction, after the activation (DARTS) or without it (ENAS); "bare_conv" is the first without
# the activation, also where only the width changes
STRIDED_SKIPS = ("conv", "factorized", "bare_factorized", "bare_conv")


@dataclass(frozen=True)
class Cell(Block):
    """A graph of operations on the outputs of the two stages or cells before (`inputs` 1: of the last).

    State 0 is the older input and 1 the newer (with one input, 0 is that); each of `nodes` adds the
    next state, the sum of its edges (operation of `OPERATIONS`, state it reads). The states `concat`
    leave, side by side; without any, the last node leaves alone. So the filters of every operation are
    the stage's width over the number of states that leave. Edges from inputs have the stage's stride.
    "skip|conv_3x3" for an operation makes a supernet: the edge holds both, and does the one that the
    network is told in its collection "choice" (`scaling.models.edge_choice`).

    Two inputs are first brought to the filters and the newer's side: the older by a 1x1 convolution or,
    from a larger side, a factorized reduction, the newer by `entries` 1x1 convolutions in turn. Where
    there is no older output, the newer stands for it, with `raw_first` as it is. With `bypass` the cell
    after this one reads this one's older input as its own. `strided_skip` is one of `STRIDED_SKIPS`.

    Source: arXiv 1707.07012 section 3 and Appendix A, arXiv 1806.09055, arXiv 2001.00326. Raises
    ValueError for an unknown operation, and where a state is read or leaves that the cell does not have.
    """

    nodes: tuple[tuple[tuple[str, int], ...], ...]
    concat: tuple[int, ...] = ()
    inputs: int = 2
    strided_skip: str = "conv"
    entries: int = 1
    raw_first: bool = False
    bypass: bool = False

    def __post_init__(self):
        _check(self)

    @property
    def edges(self) -> tuple[tuple[str, ...], ...]:
        """The operations that each edge may do, node by node."""
        return tuple(options(operation) for edges in self.nodes for operation, _ in edges)

    @property
    def chooses(self) -> bool:
        """Whether an edge has several operations to choose among."""
        return any(len(edge) > 1 for edge in self.edges)

    @property
    def parts(self) -> int:
        """Number of states that leave: the width over the filters."""
        return max(1, len(self.concat))

    @property
    def reads_two(self) -> bool:
        return self.inputs == 2

    @property
    def reduces_once(self) -> bool:
        return True

    def width_step(self, divisor: int) -> int:
        return divisor * self.parts

    def problem(self, width: int, stride: int) -> str:
        if width % self.parts == 0:
            return ""
        return f"has width={width}, but its cell joins {self.parts} states of equal width: choose a multiple of that."


def options(operation: str) -> tuple[str, ...]:
    """The names of the operations that an edge may do."""
    return tuple(operation.split(OR))


def _check(cell: Cell) -> None:
    if cell.inputs not in (1, 2) or cell.entries < 1:
        raise ValueError(
            f"Cell.inputs={cell.inputs} and entries={cell.entries}: say 1 or 2 inputs, and at least 1 entry."
        )
    if cell.strided_skip not in STRIDED_SKIPS:
        raise ValueError(
            f"Cell.strided_skip={cell.strided_skip!r} must be one of {', '.join(STRIDED_SKIPS)}."
        )
    if not cell.nodes or not all(cell.nodes):
        raise ValueError(f"Cell.nodes={cell.nodes}: a cell has a node, and a node an edge (perhaps 'none').")
    for i, edges in enumerate(cell.nodes):
        for operation, state in edges:
            _check_edge(cell, i, operation, state)
    states = cell.inputs + len(cell.nodes)
    if len(set(cell.concat)) != len(cell.concat) or not set(cell.concat) <= set(range(states)):
        raise ValueError(
            f"Cell.concat={cell.concat} must name some of the states 0 to {states - 1}, each once: "
            f"{cell.inputs} inputs, then {len(cell.nodes)} nodes."
        )


def _check_edge(cell: Cell, node: int, operation: str, state: int) -> None:
    for name in options(operation):
        if name not in OPERATIONS:
            raise ValueError(
                f"Cell.nodes[{node}]: {name!r} is no operation; choose from {', '.join(OPERATIONS)}."
            )
    if state not in range(cell.inputs + node):
        raise ValueError(
            f"Cell.nodes[{node}] reads state {state}, but only states 0 to {cell.inputs + node - 1} come before "
            "it: read one of these, or order the nodes so that each follows what it reads."
        )
