"""TransNAS-Bench-101 (arXiv 2105.11871): cells of 4 operations on 6 edges, and skeletons of 4 to 6 modules.

MICRO's decisions are the edges in the order of NAS-Bench-201. MACRO's are the modules: 1 plain, 2 doubles
the channels, 3 halves the resolution, 4 does both; 0 pads the vector of a network with fewer modules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from scaling.arch.arch import Arch, Head, Stage
from scaling.arch.blocks import Conv
from scaling.arch.blocks.cell import Cell
from search.core import automaton
from search.core.space import Space, digits, read_digits
from search.core.table import Table, benchmark_table

OPERATIONS = ("none", "skip_connect", "conv_1x1", "conv_3x3")
EDGES = 6
MOST_MODULES, LEAST_MODULES = 6, 4
END, WIDER, SMALLER, BOTH = 0, 2, 3, 4
RESOLUTION_STEPS, CHANNEL_STEPS = range(1, 5), range(1, 4)  # how many modules may do either
TASKS = (
    "class_scene", "class_object", "room_layout", "jigsaw", "segmentsemantic", "normal", "autoencoder",
)  # fmt: skip


def write_micro(point: Sequence[int]) -> str:
    """The benchmark's string, e.g. "64-41414-1_02_333": the edges, node by node."""
    text = digits(point)
    return f"64-41414-{text[0]}_{text[1:3]}_{text[3:]}"


def read_micro(text: str) -> list[int]:
    """Read what `write_micro` wrote."""
    return read_digits("".join(_parts(r"64-41414-(\d)_(\d\d)_(\d{3})", text)))


def write_macro(point: Sequence[int]) -> str:
    """The benchmark's string, e.g. "64-1234-basic"."""
    return f"64-{digits(point).rstrip(str(END))}-basic"


def read_macro(text: str) -> list[int]:
    """Read what `write_macro` wrote."""
    modules = read_digits(_parts(r"64-([1-4]+)-basic", text)[0])
    return modules + [END] * (MOST_MODULES - len(modules))


def _parts(pattern: str, text: str) -> tuple[str, ...]:
    found = re.fullmatch(pattern, text)
    if found is None:
        raise ValueError(f"{text!r} does not match {pattern}.")
    return found.groups()


def _step(state: tuple[int, int, bool], module: int, value: int) -> tuple[int, int, bool] | None:
    """Count the modules that shrink and widen; nothing follows the end."""
    smaller, wider, ended = state
    if value == END:
        return (smaller, wider, True) if module >= LEAST_MODULES else None
    if ended:
        return None
    return smaller + (value in (SMALLER, BOTH)), wider + (value in (WIDER, BOTH)), False


def _accept(state: tuple[int, int, bool]) -> bool:
    return state[0] in RESOLUTION_STEPS and state[1] in CHANNEL_STEPS


# yawen-d/TransNASBench lib/models/net_infer
CELL_OPERATIONS = ("none", "skip", "conv_1x1", "conv_3x3")  # of the digits
MICRO_MODULES = (4, 1, 4, 1, 4)
CELLS_A_MODULE, CHANNELS = 2, 64
RESIDUAL = Cell(((("conv_3x3", 0),), (("conv_3x3", 1), ("skip", 0))), inputs=1, strided_skip="bare_conv")
SCENES, SIDE = 63, 256  # scenes: lib/data/class_scene_selected.npy of the same repository


def micro_cell(point: Sequence[int]) -> Cell:
    """The cell of six operations; node 0 is its input."""
    edges = iter(CELL_OPERATIONS[value] for value in point)
    nodes = tuple(tuple((next(edges), state) for state in range(node)) for node in (1, 2, 3))
    return Cell(nodes, inputs=1, strided_skip="factorized")


def network(cell: Cell, modules: Sequence[int]) -> Arch:
    """Modules of two cells behind two strided convolutions, and a classifier: class_scene's 63 scenes.

    Other tasks have other ends. Source: yawen-d/TransNASBench lib/models/net_infer/net_macro.py.
    """
    stages, width = [], CHANNELS
    for module in modules:
        width *= 2 if module in (WIDER, BOTH) else 1
        stages.append(Stage(cell, width, CELLS_A_MODULE, 2 if module in (SMALLER, BOTH) else 1))
    return Arch(
        "transnas",
        "transnas",
        stem=(Stage(Conv(3), CHANNELS // 2, stride=2), Stage(Conv(3, act=False), CHANNELS, stride=2)),
        stages=tuple(stages),
        head=Head(),
        resolution=SIDE,
        num_classes=SCENES,
        rounding="cells",
        source="arXiv 2105.11871; yawen-d/TransNASBench lib/models/net_infer/net_macro.py",
    )


def micro_network(point: Sequence[int]) -> Arch:
    """The searched cell in the skeleton of five modules."""
    return network(micro_cell(point), MICRO_MODULES)


def macro_network(point: Sequence[int]) -> Arch:
    """The searched modules of residual blocks."""
    return network(RESIDUAL, [module for module in point if module != END])


MICRO = Space(
    "transnas_micro",
    automaton.product([len(OPERATIONS)] * EDGES),
    write_micro,
    read_micro,
    network=micro_network,
)
MACRO = Space(
    "transnas_macro",
    automaton.from_rule([5] * MOST_MODULES, (0, 0, False), _step, _accept),
    write_macro,
    read_macro,
    network=macro_network,
)


def load_micro(directory: Path) -> Table:
    """Read `transnasbench101_micro.csv.gz`: `val_<task>` of every cell, all to be maximised."""
    return benchmark_table(directory / "transnasbench101_micro.csv.gz", MICRO)


def load_macro(directory: Path) -> Table:
    """Read `transnasbench101_macro.csv.gz`: `val_<task>` of every skeleton, all to be maximised."""
    return benchmark_table(directory / "transnasbench101_macro.csv.gz", MACRO)
