"""What an architecture must be to be built: every rule that is broken is named with its value."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import operator
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from scaling.arch.fields import DEPTH, SIDE, WIDTH, marked
from scaling.arch.head import LINEAR, OUTPUTS
from scaling.arch.map_heads import MapHead
from scaling.arch.stages import settle

# Of a network that is read; one of this process may have more
MOST_BLOCKS = 10_000  # or layers within blocks
MOST_IN_A_ROW = 1000  # layers or pixels that a field counts

# Numbers that must be above 0 in any block or head, beside widths that scaling reaches and sides
ABOVE_0 = ("width", "kernel", "kernels", "groups", "expand", "inner", "squeeze", "dilation", "rates")

if TYPE_CHECKING:
    from scaling.arch.arch import Arch


def check(arch: Arch) -> None:
    """Raise ValueError where the architecture cannot be built, naming the value and the rule."""
    positive = {
        "resolution": arch.resolution,
        "num_classes": arch.num_classes,
        "in_channels": arch.in_channels,
        "columns": 1 if arch.columns is None else arch.columns,
    }
    for name, value in positive.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{arch.name}: {name}={value!r} must be an integer of at least 1.")
    if arch.padding not in ("torch", "tf"):
        raise ValueError(f"{arch.name}: padding={arch.padding!r} must be 'torch' or 'tf'.")
    for rate in ("drop_rate", "drop_path_rate"):
        if not 0 <= getattr(arch, rate) < 1:
            raise ValueError(f"{arch.name}: {rate}={getattr(arch, rate)} must be in [0, 1).")
    _check_stages(arch)
    _check_widths(arch)
    _check_head(arch)
    _check_output_stride(arch)
    _check_auxiliary(arch)
    if arch.resolution < arch.least_side:
        raise ValueError(
            f"{arch.name}: resolution={arch.resolution} leaves no pixel after the unpadded windows of its "
            f"stages: it must be at least {arch.least_side}."
        )


def check_sizes(arch: Arch) -> None:
    """Raise ValueError where a network from a file is larger than any: to count it would take for ever."""
    for value in _values(arch):
        for name in (*marked(value, DEPTH), *marked(value, SIDE)):
            if (number := getattr(value, name)) > MOST_IN_A_ROW:
                raise ValueError(
                    f"{arch.name}: {type(value).__name__}.{name}={number} is more than the {MOST_IN_A_ROW} that a "
                    "file may hold: make it smaller."
                )
    layers = lambda block: max([1, *(getattr(block, name) for name in marked(block, DEPTH))])
    blocks = sum(stage.repeats * layers(stage.block) for stage in arch.stem + arch.stages)
    if blocks > MOST_BLOCKS:
        raise ValueError(
            f"{arch.name}: {blocks} blocks are more than the {MOST_BLOCKS} that a file may hold."
        )


def _values(value: Any) -> Iterator[Any]:
    """Walk all dataclasses of which a value is made, itself the first."""
    if dataclasses.is_dataclass(value):
        yield value
        value = tuple(getattr(value, f.name) for f in dataclasses.fields(value))
    for inner in value if isinstance(value, tuple) else ():
        yield from _values(inner)


def _problem_of_numbers(value: Any) -> str:
    """Say which width or window of a block or head is not above 0; "" where all are."""
    for part in _values(value):
        for name in _above_0(type(part)):
            given = getattr(part, name)
            if not all(number > 0 for number in _numbers(given)):
                return f"has {type(part).__name__}.{name}={given}, which must be above 0: give a larger one."
    return ""


@functools.cache
def _above_0(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass whose numbers must be above 0."""
    names = {*ABOVE_0, *marked(kind, WIDTH), *marked(kind, SIDE)}
    return tuple(f.name for f in dataclasses.fields(kind) if f.name in names)


def _numbers(value: Any) -> Iterator[float]:
    """Walk the numbers of nested tuples; None is none."""
    if isinstance(value, tuple):
        for inner in value:
            yield from _numbers(inner)
    elif value is not None:
        yield value


def _check_stages(arch: Arch) -> None:
    for i, stage in enumerate(arch.stem + arch.stages):
        if min(stage.width, stage.repeats, stage.stride) < 1:
            raise ValueError(f"{arch.name}: stage {i} has a width, repeats or stride below 1: {stage}.")
        if problem := stage.block.problem(stage.width, stage.stride):
            raise ValueError(f"{arch.name}: stage {i} {problem}")
        if problem := _problem_of_numbers(stage.block):
            raise ValueError(f"{arch.name}: stage {i} {problem}")
        if stage.repeats != 1 and not stage.block.repeatable:
            raise ValueError(
                f"{arch.name}: stage {i} repeats={stage.repeats}, but a {type(stage.block).__name__} does not "
                "repeat (one that strides, in the Inception families): say 1 (and Dense.layers for a deeper "
                "dense block)."
            )
    for stage in arch.stem:
        if not stage.block.in_stem:
            kind = type(stage.block).__name__
            raise ValueError(f"{arch.name}: the stem drops nothing: put {kind} among the stages.")


def _check_widths(arch: Arch) -> None:
    stages = arch.stem + arch.stages
    for i, (stage, settled) in enumerate(zip(stages, settle(stages, arch.in_channels))):
        if stage != settled:
            raise ValueError(
                f"{arch.name}: stage {i} has width={stage.width}, but {settled.width} follows from its block "
                "and the width before it: build stages with scaling.arch.stages.settle."
            )


def _check_output_stride(arch: Arch) -> None:
    if arch.output_stride is not None and any(stage.block.reads_two for stage in arch.stages):
        raise ValueError(
            f"{arch.name}: output_stride={arch.output_stride}, but a cell fits its older input to the side of "
            "its newer, so its parameters follow from the strides: leave output_stride at None."
        )
    possible = sorted(set(itertools.accumulate(arch.strides, operator.mul, initial=1)))
    if arch.output_stride not in (None, *possible):
        raise ValueError(
            f"{arch.name}: output_stride={arch.output_stride} is no stride of its maps: choose one of "
            f"{possible}, or None to dilate nothing."
        )


def _check_head(arch: Arch) -> None:
    head = arch.head
    if isinstance(head, MapHead):
        if problem := head.problem(arch.map_strides) or _problem_of_numbers(head):
            raise ValueError(f"{arch.name}: the head {type(head).__name__} {problem}")
        return
    if min((head.grid, *head.hidden)) < 1:
        raise ValueError(f"{arch.name}: the head has a hidden width or a grid below 1: {head}.")
    if problem := _problem_of_numbers(head):
        raise ValueError(f"{arch.name}: the head {problem}")
    if not head.hidden and (head.grid != 1 or head.slide):
        raise ValueError(f"{arch.name}: grid and slide are of hidden layers, but the head has none: {head}.")
    if head.hidden and head.per_pixel:
        raise ValueError(f"{arch.name}: per_pixel classifies the feature map: drop hidden={head.hidden}.")
    if head.output not in OUTPUTS:
        raise ValueError(f"{arch.name}: output={head.output!r} must be one of {', '.join(OUTPUTS)}.")
    if head.output != LINEAR and head.per_pixel:
        raise ValueError(
            f"{arch.name}: output={head.output!r} is of a vector, but per_pixel has one a pixel: drop one."
        )


def _check_auxiliary(arch: Arch) -> None:
    for auxiliary in arch.auxiliary:
        if auxiliary.after not in range(len(arch.stages)):
            raise ValueError(
                f"{arch.name}: an auxiliary classifier stands after stage {auxiliary.after}, but there are only "
                f"stages 0 to {len(arch.stages) - 1}: change `after`, or say auxiliary=()."
            )
        if min(auxiliary.width, auxiliary.grid, *auxiliary.hidden) < 1 or auxiliary.weight < 0:
            raise ValueError(
                f"{arch.name}: an auxiliary width or grid below 1, or weight below 0: {auxiliary}."
            )
        if not 0 <= auxiliary.drop_rate < 1:
            raise ValueError(f"{arch.name}: auxiliary drop_rate={auxiliary.drop_rate} must be in [0, 1).")
