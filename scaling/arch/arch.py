"""An architecture as a value: frozen, hashable, JSON-able; nothing else describes a network.

`Arch` = stem + stages of repeated blocks + head + resolution. Rules map `Arch -> Arch`; models,
counters, weights and result rows are functions of an `Arch`.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from scaling.arch.blocks import BLOCKS, PARTS
from scaling.arch.check import check, check_sizes
from scaling.arch.custom import Custom
from scaling.arch.encoding import decode, encode
from scaling.arch.fields import LATER
from scaling.arch.head import Auxiliary, Head
from scaling.arch.heads import KINDS as HEAD_KINDS
from scaling.arch.heads import PARTS as HEAD_PARTS
from scaling.arch.map_heads import MapHead
from scaling.arch.norm import Norm
from scaling.arch.stages import FeatureGrid, Stage, least_side, settle, small_stem
from scaling.border.files import parse_json


@dataclass(frozen=True)
class Arch:
    """One network of one size.

    `rounding` names the rule (see `scaling.rules.rounding.ROUNDINGS`) that turns scaled widths, depths and
    resolutions into integers; `padding` is "torch" (symmetric) or "tf" (SAME); `resolution` is the
    input side in pixels; `drop_rate` and `drop_path_rate` are the recipe's regularisation, both
    probabilities of dropping; `weights` names the peer whose tensor names `load_torch` reads.
    `output_stride` is the largest stride of a map: stages that would exceed it keep the side, and
    windows are dilated instead; variables stay the same (DeepLab: arXiv 1606.00915 section 3.1).
    `auxiliary` are classifiers that only training runs. `columns` is the width of inputs where that is not
    their height: 1 of sequences, whose `resolution` is a number of frames.
    """

    name: str
    family: str
    stem: tuple[Stage, ...]
    stages: tuple[Stage, ...]
    head: Head | MapHead
    resolution: int
    num_classes: int = 1000
    in_channels: int = 3
    activation: str = "relu"
    norm: Norm = field(default_factory=Norm)
    padding: str = "torch"
    rounding: str = "efficientnet"
    drop_rate: float = 0.0
    drop_path_rate: float = 0.0
    weights: str = ""
    source: str = ""
    output_stride: int | None = field(default=None, metadata=LATER)
    auxiliary: tuple[Auxiliary, ...] = field(default=(), metadata=LATER)
    columns: int | None = field(default=None, metadata=LATER)

    def __post_init__(self):
        check(self)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an input."""
        return self.resolution, self.columns or self.resolution, self.in_channels

    @property
    def depth(self) -> int:
        """Number of blocks in the stages."""
        return sum(stage.repeats for stage in self.stages)

    @property
    def widths(self) -> tuple[int, ...]:
        """Output channels of each stage."""
        return tuple(stage.width for stage in self.stages)

    @property
    def entering(self) -> int:
        """Channels that enter the stages."""
        return self.stem[-1].width if self.stem else self.in_channels

    @property
    def strides(self) -> tuple[int, ...]:
        """Strides of the stem's stages, then of the stages, as if nothing were dilated."""
        return tuple(stage.stride for stage in self.stem + self.stages)

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Names of the stem's stages, then of the stages: the keys of their variables."""
        names = ("stem", self.stem), ("stages", self.stages)
        return tuple(f"{name}_{i}" for name, stages in names for i in range(len(stages)))

    @property
    def map_strides(self) -> tuple[int, ...]:
        """Strides of the feature maps, each once, finest first."""
        return tuple(sorted({grid.stride for grid in self.feature_grids}))

    def map_sides(self, side: int) -> dict[int, int]:
        """Return the last map's side, by its stride, along an axis of `side` pixels of the image."""
        sides = {}
        for stage, grid in zip(self.stem + self.stages, self.feature_grids):
            if not grid.traded:  # else it stays; windows further apart lose as many times more
                lost = side - stage.block.side_after(stage.stride, side, self.padding)
                side -= lost * grid.dilation
            sides[grid.stride] = side
        return sides

    @property
    def feature_grids(self) -> tuple[FeatureGrid, ...]:
        """Where the values of each stage lie, in the order of `strides`."""
        grids, total, dilation = [], 1, 1
        for stride in self.strides:
            traded = self.output_stride is not None and total * stride > self.output_stride
            total *= 1 if traded else stride
            grids.append(FeatureGrid(total, dilation, traded and stride > 1))
            dilation *= stride if traded else 1
        return tuple(grids)

    def replace(self, **changes: Any) -> Arch:
        """Return a copy with fields changed.

        Beside the field names: `stem="small"` makes every stem convolution 3x3 with stride 1, patches
        single pixels, and drops stem pooling (for images of about 32 px and less); `strides=(...)` sets
        the strides of stem and stages in the order of `Arch.strides`; `norm_momentum=` that of `norm`.
        """
        unknown = set(changes) - {f.name for f in dataclasses.fields(self)} - {"strides", "norm_momentum"}
        if unknown:
            raise TypeError(f"Arch has no field {sorted(unknown)}; see scaling.arch.arch.Arch.")
        if changes.get("stem") == "small":
            changes["stem"] = small_stem(self.stem)
        strides = changes.pop("strides", None)
        if "norm_momentum" in changes:
            norm = changes.get("norm", self.norm)
            changes["norm"] = dataclasses.replace(norm, momentum=changes.pop("norm_momentum"))
        if "in_channels" in changes:  # the widths that follow from it
            stem = settle(self.stem, changes["in_channels"])
            entering = stem[-1].width if stem else changes["in_channels"]
            changes = {"stem": stem, "stages": settle(self.stages, entering), **changes}
        arch = dataclasses.replace(self, **changes)
        return arch if strides is None else _with_strides(arch, tuple(strides))

    @property
    def least_side(self) -> int:
        """The smallest resolution of which every stage leaves a pixel."""
        return least_side(self.stem + self.stages, self.feature_grids)

    @property
    def sizes(self) -> tuple:
        """What rules change."""
        return self.stem, self.stages, self.head, self.resolution

    def to_dict(self) -> dict[str, Any]:
        return encode(self)

    def to_json(self) -> str:
        """Serialise; `Arch.from_json(arch.to_json()) == arch`."""
        return json.dumps(self.to_dict(), separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Arch:
        return Arch.from_dict(parse_json(text))

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Arch:
        """Read what `to_dict` gave; ValueError where that makes no network that could be trained."""
        try:
            arch = decode(data, TYPES)
        except RecursionError:
            raise ValueError("The serialised Arch is nested too deeply.") from None
        if not isinstance(arch, Arch):
            raise ValueError(f"Expected a serialised Arch, got {type(arch).__name__}.")  # noqa: TRY004
        check_sizes(arch)
        return arch


Sized = Arch | Custom  # a network of one size: ours, or a user's own

# What a serialised architecture may hold, by the name of its type
TYPES: dict[str, type] = {
    t.__name__: t for t in (*BLOCKS, *PARTS, Stage, Head, *HEAD_KINDS, *HEAD_PARTS, Auxiliary, Norm, Arch)
}


def from_record(data: dict[str, Any], trust_code: bool = False) -> Sized:
    """Return the network that `to_dict` of either kind wrote.

    That of a user's own is made by running the file that it names, so ValueError without `trust_code`.
    """
    if not isinstance(data, dict) or "source" not in data or "stages" in data:
        return Arch.from_dict(data)
    if not trust_code:
        raise ValueError(
            f"its network is code of a user's own, {data['source']!r}, which a file cannot make us run: give the "
            "network as arch=, or trust_code=True (--trust_code) where you know that code."
        )
    return Custom.from_dict(data)


def _with_strides(arch: Arch, strides: tuple[int, ...]) -> Arch:
    if len(strides) != len(arch.strides):
        raise ValueError(
            f"strides={strides} has {len(strides)} entries; {arch.name} has {len(arch.stem)} stem and "
            f"{len(arch.stages)} body stages: give {len(arch.strides)} strides, now {arch.strides}."
        )
    stages = [dataclasses.replace(s, stride=n) for s, n in zip(arch.stem + arch.stages, strides)]
    cut = len(arch.stem)
    return dataclasses.replace(arch, stem=tuple(stages[:cut]), stages=tuple(stages[cut:]))
