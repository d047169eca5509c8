"""Widths and depths of the stages of any network, each by a factor of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scaling.arch.arch import Arch
from scaling.arch.blocks import Block
from scaling.rules.scale import scale
from search.core import automaton
from search.core.space import Space
from search.spaces.multipliers import distinct


@dataclass(frozen=True)
class Sizes:
    """A width and a depth factor for each stage of `base`, rounded as the base rounds; stem and head stay.

    Of factors that give a stage the same width or depth only the one nearest 1 counts. With `rising`
    no stage is narrower than the one before. The decisions are width, depth, stage by stage.
    """

    base: Arch
    widths: tuple[float, ...] = (0.5, 0.75, 1.0, 1.25, 1.5)
    depths: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0)
    rising: bool = False

    @cached_property
    def width_choices(self) -> list[dict[int, tuple[Block, int]]]:
        """By stage, the block and width of each factor that gives one of its own."""

        def scaled(at: int, factor: float) -> tuple[Block, int]:
            stage = scale(self.base, width=self._only(at, factor)).stages[at]
            return stage.block, stage.width

        stages = range(len(self.base.stages))
        return [distinct("widths", self.widths, lambda factor, at=at: scaled(at, factor)) for at in stages]

    @cached_property
    def depth_choices(self) -> list[dict[int, tuple[Block, int]]]:
        """By stage, the block and repeats of each factor that gives one of its own."""

        def scaled(at: int, factor: float) -> tuple[Block, int]:
            stage = scale(self.base, depth=self._only(at, factor)).stages[at]
            return stage.block, stage.repeats

        stages = range(len(self.base.stages))
        return [distinct("depths", self.depths, lambda factor, at=at: scaled(at, factor)) for at in stages]

    def _only(self, at: int, factor: float) -> list[float]:
        return [factor if i == at else 1.0 for i in range(len(self.base.stages))]

    def moves(self) -> np.ndarray:
        """The automaton; it remembers the last width where widths must rise."""
        cardinalities = [len(self.widths), len(self.depths)] * len(self.base.stages)
        return automaton.from_rule(cardinalities, 0, self._step, lambda width: True)

    def _step(self, width: int, decision: int, value: int) -> int | None:
        at, of_depth = divmod(decision, 2)
        if of_depth:
            return width if value in self.depth_choices[at] else None
        chosen = self.width_choices[at].get(value)
        if chosen is None or (self.rising and chosen[1] < width):
            return None
        return chosen[1] if self.rising else 0

    def network(self, point: Sequence[int]) -> Arch:
        """The base with its stages scaled; the name says by what."""
        widths, depths = [self.widths[v] for v in point[::2]], [self.depths[v] for v in point[1::2]]
        arch = scale(self.base, depth=depths, width=widths)
        return arch.replace(name=f"{self.base.name} {self.write(point)}")

    def write(self, point: Sequence[int]) -> str:
        """The factors of the stages, as width x depth: "1x1-0.75x1-1.25x2"."""
        pairs = zip(point[::2], point[1::2])
        return "-".join(f"{self.widths[width]:g}x{self.depths[depth]:g}" for width, depth in pairs)

    def read(self, text: str) -> list[int]:
        """Read what `write` wrote; ValueError where it is not that."""
        point = []
        for part in text.split("-"):
            width, _, depth = part.partition("x")
            point += [self.widths.index(float(width)), self.depths.index(float(depth))]
        return point


def space(sizes: Sizes) -> Space:
    """All combinations of widths and depths."""
    return Space("stages", sizes.moves(), sizes.write, sizes.read, network=sizes.network)
