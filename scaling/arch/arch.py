"""An architecture as a value: frozen, hashable, JSON-able; nothing else describes a network.

`Arch` = stem + stages of repeated blocks + head + resolution. Rules map `Arch -> Arch`; models,
counters, weights and result rows are functions of an `Arch`.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import operator
from dataclasses import dataclass, field
from typing import Any

from scaling.arch.blocks import (
    BLOCKS,
    LATER,
    WIDTH,
    Block,
    Cell,
    Conv,
    Dropout,
    Filter,
    Fork,
    Inception,
    LocalNorm,
    MLPConv,
    Patches,
    Pool,
    Xception,
    keeping_side,
    reads_two,
    repeats,
    side_before,
    unlike_strides,
    width_after,
)
from scaling.arch.custom import Custom


@dataclass(frozen=True)
class Stage:
    """`repeats` blocks of one output `width`; the first has the stride and the block's own `pad`.

    The rest have stride 1 and keep the side.
    """

    block: Block
    width: int
    repeats: int = 1
    stride: int = 1


@dataclass(frozen=True)
class Head:
    """What follows the last stage: an optional 1x1 convolution of `width`, pooling, a classifier.

    `preact` adds the final norm and activation that pre-activation networks need. `hidden` are the
    widths of fully connected layers with bias, activation and dropout; the first reads the feature map,
    averaged to `grid` x `grid` pixels, of a larger one with `slide` every such window (and averages
    after the last). `per_pixel` classifies and activates every pixel, then averages. `layer_norm`
    normalises between pooling and classifier. `act` activates the feature map first, as the networks
    whose cells end without an activation need.
    """

    width: int | None = None
    preact: bool = False
    hidden: tuple[int, ...] = field(default=(), metadata=LATER)
    grid: int = field(default=1, metadata=LATER)
    slide: bool = field(default=False, metadata=LATER)
    per_pixel: bool = field(default=False, metadata=LATER)
    layer_norm: bool = field(default=False, metadata=LATER)
    act: bool = field(default=False, metadata=LATER)


@dataclass(frozen=True)
class Auxiliary:
    """A classifier that reads the output of stage `after` while training; `weight` is that of its loss.

    The map, averaged to `grid` x `grid` pixels, goes through a 1x1 convolution of `width`, fully connected
    layers of the widths `hidden`, dropout, and the classifier. The convolution is normalised or has a bias,
    as `norm` says; the hidden layers as `norm_hidden` says. Source: arXiv 1409.4842 section 5.
    """

    after: int
    weight: float = 0.3
    width: int = field(default=128, metadata=WIDTH)
    hidden: tuple[int, ...] = field(default=(1024,), metadata=WIDTH)
    grid: int = 4
    drop_rate: float = 0.7
    norm: bool = True
    norm_hidden: bool = False


@dataclass(frozen=True)
class Norm:
    """Normalisation: `eps`, and `momentum` as the decay of batch norm's running statistics."""

    eps: float = 1e-5
    momentum: float = 0.9


@dataclass(frozen=True)
class FeatureGrid:
    """Where a stage's values lie: those of its map are `stride` pixels of the image apart.

    Its windows take values `dilation` apart from the map that reaches it. `traded`: the stage's own
    stride is not taken, but multiplies the dilation of what follows the strided windows.
    """

    stride: int
    dilation: int = 1
    traded: bool = False


@dataclass(frozen=True)
class Arch:
    """One network of one size.

    `rounding` names the rule (see `scaling.rules.rounding.ROUNDINGS`) that turns scaled widths, depths and
    resolutions into integers; `padding` is "torch" (symmetric) or "tf" (SAME); `resolution` is the
    input side in pixels; `drop_rate` and `drop_path_rate` are the recipe's regularisation, both
    probabilities of dropping; `weights` names the peer whose tensor names `load_torch` reads.
    `output_stride` is the largest stride of a map: stages that would exceed it keep the side, and
    windows are dilated instead; variables stay the same (DeepLab: arXiv 1606.00915 section 3.1).
    `auxiliary` are classifiers that only training runs.
    """

    name: str
    family: str
    stem: tuple[Stage, ...]
    stages: tuple[Stage, ...]
    head: Head
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

    def __post_init__(self):
        check(self)

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
        arch = dataclasses.replace(self, **changes)
        return arch if strides is None else _with_strides(arch, tuple(strides))

    @property
    def sizes(self) -> tuple:
        """What rules change."""
        return self.stem, self.stages, self.head, self.resolution

    def to_dict(self) -> dict[str, Any]:
        return _encode(self)

    def to_json(self) -> str:
        """Serialise; `Arch.from_json(arch.to_json()) == arch`."""
        return json.dumps(self.to_dict(), separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Arch:
        return Arch.from_dict(json.loads(text))

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Arch:
        arch = _decode(data)
        if not isinstance(arch, Arch):
            raise ValueError(f"Expected a serialised Arch, got {type(arch).__name__}.")  # noqa: TRY004
        return arch


Sized = Arch | Custom  # a network of one size: ours, or a user's own


def from_record(data: dict[str, Any]) -> Sized:
    """Return the network that `to_dict` of either kind wrote."""
    return Custom.from_dict(data) if "source" in data and "stages" not in data else Arch.from_dict(data)


TYPES = {t.__name__: t for t in (*BLOCKS, Filter, Fork, Stage, Head, Auxiliary, Norm, Arch)}


def settle(stages: tuple[Stage, ...], channels: int) -> tuple[Stage, ...]:
    """Give each stage the width that follows where `channels` enter the first of them."""
    settled = []
    for stage in stages:
        channels = width_after(stage.block, stage.width, channels)
        settled.append(dataclasses.replace(stage, width=channels))
    return tuple(settled)


def small_stem(stem: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The stem for small images: 3x3 convolutions and patches of one pixel, of stride 1; no pooling."""
    kept = [s for s in stem if isinstance(s.block, Conv | MLPConv | Patches)]
    return tuple(dataclasses.replace(s, block=_small(s.block), stride=1) for s in kept)


def _small(block: Block) -> Block:
    return block if isinstance(block, Patches) else dataclasses.replace(keeping_side(block), kernel=3)


def least_side(arch: Arch) -> int:
    """The smallest input side of which every stage leaves a pixel, given the paddings that blocks state."""
    side = 1
    for stage, grid in reversed(list(zip(arch.stem + arch.stages, arch.feature_grids))):
        if not grid.traded:
            side = side_before(stage.block, stage.stride, side, grid.dilation)
    return side


def _with_strides(arch: Arch, strides: tuple[int, ...]) -> Arch:
    if len(strides) != len(arch.strides):
        raise ValueError(
            f"strides={strides} has {len(strides)} entries; {arch.name} has {len(arch.stem)} stem and "
            f"{len(arch.stages)} body stages: give {len(arch.strides)} strides, now {arch.strides}."
        )
    stages = [dataclasses.replace(s, stride=n) for s, n in zip(arch.stem + arch.stages, strides)]
    cut = len(arch.stem)
    return dataclasses.replace(arch, stem=tuple(stages[:cut]), stages=tuple(stages[cut:]))


def check(arch: Arch) -> None:
    """Raise ValueError where the architecture cannot be built, naming the value and the rule."""
    positive = {
        "resolution": arch.resolution,
        "num_classes": arch.num_classes,
        "in_channels": arch.in_channels,
    }
    for name, value in positive.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{arch.name}: {name}={value!r} must be an integer of at least 1.")
    if arch.padding not in ("torch", "tf"):
        raise ValueError(f"{arch.name}: padding={arch.padding!r} must be 'torch' or 'tf'.")
    for rate in ("drop_rate", "drop_path_rate"):
        if not 0 <= getattr(arch, rate) < 1:
            raise ValueError(f"{arch.name}: {rate}={getattr(arch, rate)} must be in [0, 1).")
    for i, stage in enumerate(arch.stem + arch.stages):
        if min(stage.width, stage.repeats, stage.stride) < 1:
            raise ValueError(f"{arch.name}: stage {i} has a width, repeats or stride below 1: {stage}.")
        if isinstance(stage.block, LocalNorm | Dropout) and stage.stride != 1:
            raise ValueError(f"{arch.name}: stage {i} keeps the side, so its stride must be 1: {stage}.")
        if stage.repeats != 1 and not (repeats(stage.block) or isinstance(stage.block, Pool | LocalNorm)):
            raise ValueError(
                f"{arch.name}: stage {i} repeats={stage.repeats}, but a {type(stage.block).__name__} does not "
                "repeat (one that strides, in the Inception families): say 1 (and Dense.layers for a deeper "
                "dense block)."
            )
        if isinstance(stage.block, Inception) and stage.stride > 1 and unlike_strides(stage.block):
            raise ValueError(
                f"{arch.name}: stage {i} has stride={stage.stride}, which each branch must take exactly once: "
                f"mark one filter of each branch without pooling as strided in {stage.block}."
            )
        if isinstance(stage.block, Xception) and stage.stride > 1 and not stage.block.reduce:
            raise ValueError(
                f"{arch.name}: stage {i} has stride={stage.stride}, but reduce='' takes none: say 'pool' or 'conv'."
            )
    if any(isinstance(stage.block, Dropout) for stage in arch.stem):
        raise ValueError(f"{arch.name}: the stem drops nothing: put Dropout among the stages.")
    _check_widths(arch)
    _check_head(arch)
    _check_output_stride(arch)
    _check_auxiliary(arch)
    if arch.resolution < (least := least_side(arch)):
        raise ValueError(
            f"{arch.name}: resolution={arch.resolution} leaves no pixel after the unpadded windows of its "
            f"stages: it must be at least {least}."
        )


def _check_widths(arch: Arch) -> None:
    stages = arch.stem + arch.stages
    for i, stage in enumerate(stages):
        if isinstance(stage.block, Cell) and stage.width % stage.block.parts:
            raise ValueError(
                f"{arch.name}: stage {i} has width={stage.width}, but its cell joins {stage.block.parts} states "
                "of equal width: choose a multiple of that."
            )
    for i, (stage, settled) in enumerate(zip(stages, settle(stages, arch.in_channels))):
        if stage != settled:
            raise ValueError(
                f"{arch.name}: stage {i} has width={stage.width}, but {settled.width} follows from its block "
                "and the width before it: build stages with scaling.arch.arch.settle."
            )


def _check_output_stride(arch: Arch) -> None:
    if arch.output_stride is not None and any(reads_two(stage.block) for stage in arch.stages):
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
    if min((head.grid, *head.hidden)) < 1:
        raise ValueError(f"{arch.name}: the head has a hidden width or a grid below 1: {head}.")
    if not head.hidden and (head.grid != 1 or head.slide):
        raise ValueError(f"{arch.name}: grid and slide are of hidden layers, but the head has none: {head}.")
    if head.hidden and head.per_pixel:
        raise ValueError(f"{arch.name}: per_pixel classifies the feature map: drop hidden={head.hidden}.")


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


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        names = [f.name for f in dataclasses.fields(value) if not _is_unused(f, value)]
        return {"type": type(value).__name__, **{name: _encode(getattr(value, name)) for name in names}}
    if isinstance(value, tuple):
        return [_encode(v) for v in value]
    return value


def _is_unused(entry: dataclasses.Field, value: Any) -> bool:
    return "later" in entry.metadata and getattr(value, entry.name) == entry.default


def _decode(data: Any) -> Any:
    if isinstance(data, dict):
        fields = {k: _decode(v) for k, v in data.items() if k != "type"}
        if data.get("type") not in TYPES:
            raise ValueError(f"Unknown architecture value {data.get('type')!r}; known: {', '.join(TYPES)}.")
        kind = TYPES[data["type"]]
        known = {f.name for f in dataclasses.fields(kind)}
        if unknown := sorted(set(fields) - known):
            raise ValueError(f"{kind.__name__} has no field {unknown}; it has {sorted(known)}.")
        return kind(**fields)
    if isinstance(data, list):
        return tuple(_decode(v) for v in data)
    return data
