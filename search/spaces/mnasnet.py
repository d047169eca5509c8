"""The macro space of MnasNet (arXiv 1807.11626 section 4): the block, width and repeats of each stage.

Stages, strides, stem and head are those of a base of inverted bottlenecks; widths and repeats are relative to
it. EfficientNet-B0 is a point of the space around itself.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scaling.arch.arch import Arch, Stage
from scaling.arch.blocks import Conv, MBConv
from scaling.rules.rounding import ROUNDINGS, round_width
from scaling.zoo.efficientnet import B0
from search.core import automaton
from search.core.space import Space
from search.spaces.multipliers import check_choices, distinct

DECISIONS = ("operator", "kernel", "expand", "se_ratio", "width", "repeats", "skip")
CONV, SEPARABLE, INVERTED = OPERATORS = 0, 1, 2
# Of which operators a decision says something
MATTERS = {"kernel": OPERATORS, "expand": (INVERTED,), "se_ratio": (SEPARABLE, INVERTED)}
STRING = re.compile(
    r"(cn|ds|ir)_r(\d+)_k(\d+)_s(\d+)_e(\d+)_c(\d+)(?:_se([\d.]+))?(?:_(skip|noskip))?", re.ASCII
)


@dataclass(frozen=True)
class Macro:
    """What each stage of `base` may be: the paper's choices, unless others are given.

    `operators` are "conv", "sepconv" (depthwise, then 1x1) and "mbconv"; a convolution has no squeeze-excite,
    and only an mbconv expands. `widths` multiply the base's, rounded as the base rounds; `repeats` are
    added to the base's. `skips`: whether to decide on the identity around blocks (the paper's pooling
    around them is not described further, and left out). ValueError for a base of other blocks.
    """

    base: Arch = B0
    kernels: tuple[int, ...] = (3, 5)
    expands: tuple[int, ...] = (3, 6)
    se_ratios: tuple[float, ...] = (0.0, 0.25)
    widths: tuple[float, ...] = (0.75, 1.0, 1.25)
    repeats: tuple[int, ...] = (-1, 0, 1)
    skips: bool = True

    def __post_init__(self):
        if not all(isinstance(stage.block, MBConv) for stage in self.base.stages):
            raise ValueError(
                f"{self.base.name} has other blocks than MBConv: choose another base, or search its widths and "
                "depths only (search.spaces.stages)."
            )
        for name in ("kernels", "expands", "se_ratios", "repeats"):
            check_choices(name, getattr(self, name))
        if 1 in self.expands:
            raise ValueError(
                f"expands={self.expands}: an mbconv that does not expand is the sepconv; leave 1 out."
            )

    @cached_property
    def width_choices(self) -> list[dict[int, int]]:
        """By stage, the width of each value that gives one of its own."""
        rule = ROUNDINGS[self.base.rounding]

        def rounded(width: int, factor: float) -> int:
            return width if factor == 1 else round_width(width * factor, rule.divisor, rule.keep)

        return [
            distinct("widths", self.widths, lambda factor, width=stage.width: rounded(width, factor))
            for stage in self.base.stages
        ]

    @cached_property
    def repeat_choices(self) -> list[dict[int, int]]:
        """By stage, the blocks of each value that leaves one."""
        added = list(enumerate(self.repeats))
        return [{i: s.repeats + more for i, more in added if s.repeats + more > 0} for s in self.base.stages]

    @property
    def cardinalities(self) -> list[int]:
        choices = (
            len(self.kernels),
            len(self.expands),
            len(self.se_ratios),
            len(self.widths),
            len(self.repeats),
        )
        return [len(OPERATORS), *choices, 2 if self.skips else 1] * len(self.base.stages)

    def moves(self) -> np.ndarray:
        """The automaton: a decision that does not matter holds 0."""
        start = Reading(self.base.entering)
        return automaton.from_rule(self.cardinalities, start, self._step, lambda reading: True)

    def _step(self, reading: Reading, decision: int, value: int) -> Reading | None:
        at, place = divmod(decision, len(DECISIONS))
        name = DECISIONS[place]
        if name == "operator":
            return dataclasses.replace(reading, operator=value)
        if name in ("width", "repeats"):
            chosen = (self.width_choices if name == "width" else self.repeat_choices)[at].get(value)
            return None if chosen is None else dataclasses.replace(reading, **{name: chosen})
        if value and not self._matters(name, reading, self.base.stages[at].stride):
            return None
        return Reading(reading.width) if name == "skip" else reading

    def _matters(self, name: str, reading: Reading, stride: int) -> bool:
        if name == "skip":
            return reading.repeats > 1 or (stride == 1 and reading.width == reading.channels)
        return reading.operator in MATTERS[name]

    def stages(self, point: Sequence[int]) -> tuple[Stage, ...]:
        """The stages of a point."""
        parts = zip(*[iter(point)] * len(DECISIONS))
        return tuple(self._stage(at, *values) for at, values in enumerate(parts))

    def _stage(
        self,
        at: int,
        operator: int,
        kernel: int,
        expand: int,
        se_ratio: int,
        width: int,
        repeats: int,
        skip: int,
    ) -> Stage:
        side, skips = self.kernels[kernel], not skip
        block: Conv | MBConv = Conv(side, skip=skips)
        if operator != CONV:
            factor = self.expands[expand] if operator == INVERTED else 1
            block = MBConv(side, factor, self.se_ratios[se_ratio], skip=skips)
        widths, depths = self.width_choices[at], self.repeat_choices[at]
        return Stage(block, widths[width], depths[repeats], self.base.stages[at].stride)

    def network(self, point: Sequence[int]) -> Arch:
        """The base with these stages."""
        name = f"mnasnet {self.base.name}"
        return self.base.replace(name=name, stages=self.stages(point), source="arXiv 1807.11626 section 4")

    def encode(self, arch: Arch) -> list[int]:
        """The point of a network with the base's strides; ValueError if it is not in the space."""
        channels, point = self.base.entering, []
        for at, stage in enumerate(arch.stages):
            point += self._values(at, stage, channels)
            channels = stage.width
        return point

    def _values(self, at: int, stage: Stage, channels: int) -> list[int]:
        """The decisions of one stage."""
        block = _known(stage)
        operator, expand, se_ratio = CONV, 0, 0
        if isinstance(block, MBConv):
            operator = SEPARABLE if block.expand == 1 else INVERTED
            expand = 0 if operator == SEPARABLE else self.expands.index(int(block.expand))
            se_ratio = self.se_ratios.index(block.se_ratio)
        reading = Reading(channels, operator, stage.width, stage.repeats)
        skip = not block.skip and self._matters("skip", reading, stage.stride)
        width = _index(self.width_choices[at], stage.width)
        repeats = _index(self.repeat_choices[at], stage.repeats)
        return [operator, self.kernels.index(block.kernel), expand, se_ratio, width, repeats, int(skip)]

    def write(self, point: Sequence[int]) -> str:
        """timm's strings of blocks, joined by commas: "ds_r1_k3_s1_e1_c16_se0.25,ir_r2_k3_s2_e6_c24,..."."""
        channels, texts = self.base.entering, []
        for stage in self.stages(point):
            reading = Reading(channels, CONV, stage.width, stage.repeats)
            texts.append(_written(stage, self._matters("skip", reading, stage.stride)))
            channels = stage.width
        return ",".join(texts)

    def read(self, text: str) -> list[int]:
        """Read what `write` wrote; ValueError where it is not that."""
        stages = tuple(map(_read, text.split(",")))
        point = self.encode(self.base.replace(stages=stages))
        if self.write(point) != text:
            raise ValueError(f"{text!r} has not the stages and strides of {self.base.name}.")
        return point


@dataclass(frozen=True)
class Reading:
    """What the automaton remembers within a stage: the channels that reach it, and its choices so far."""

    channels: int
    operator: int = 0
    width: int = 0
    repeats: int = 0


def _known(stage: Stage) -> Conv | MBConv:
    if isinstance(stage.block, Conv | MBConv):
        return stage.block
    raise ValueError(f"{stage.block} is neither a Conv nor an MBConv.")


def _index(choices: dict[int, int], wanted: int) -> int:
    for value, chosen in choices.items():
        if chosen == wanted:
            return value
    raise ValueError(f"{wanted} is not one of {sorted(choices.values())}.")


def _written(stage: Stage, skip_matters: bool) -> str:
    """One stage in timm's notation, where an inverted bottleneck skips and a convolution does not."""
    block = _known(stage)
    if isinstance(block, MBConv):
        kind, expand, ratio, usual = (
            "ir" if block.expand != 1 else "ds",
            int(block.expand),
            block.se_ratio,
            True,
        )
    else:
        kind, expand, ratio, usual = "cn", 1, 0.0, False
    text = f"{kind}_r{stage.repeats}_k{block.kernel}_s{stage.stride}_e{expand}_c{stage.width}"
    text += f"_se{ratio:g}" if ratio else ""
    if skip_matters and block.skip != usual:
        text += "_skip" if block.skip else "_noskip"
    return text


def _read(text: str) -> Stage:
    found = STRING.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no stage: write one as in ir_r2_k3_s2_e6_c24_se0.25.")
    kind, repeats, kernel, stride, expand, width, ratio, skip = found.groups()
    if kind == "cn":
        block: Conv | MBConv = Conv(int(kernel), skip=skip == "skip")
    else:
        block = MBConv(int(kernel), int(expand), float(ratio or 0), skip=skip != "noskip")
    return Stage(block, int(width), int(repeats), int(stride))


def space(macro: Macro) -> Space:
    """All networks that a macro space describes."""
    return Space("mnasnet", macro.moves(), macro.write, macro.read, network=macro.network)
