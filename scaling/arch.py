"""An architecture as a value: frozen, hashable, JSON-able; nothing else describes a network.

`Arch` = stem + stages of repeated blocks + head + resolution. Rules map `Arch -> Arch`; models,
counters, weights and result rows are functions of an `Arch`.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

# Marks a block's field that counts channels: `field(metadata=WIDTH)`. Width scaling reaches it.
WIDTH = {"width": True}
# Marks a field that came later: JSON leaves it out at its default, so that older texts and ids stay.
LATER = {"later": True}


@dataclass(frozen=True)
class Conv:
    """A k x k convolution, normalised and activated; with `skip`, a residual where shapes allow.

    `pad` pixels of zeros go on every side (None: as many as the network's padding asks for).
    """

    kernel: int = 3
    groups: int = 1
    norm: bool = True
    act: bool = True
    skip: bool = False
    bias: bool = False
    pad: int | None = field(default=None, metadata=LATER)


@dataclass(frozen=True)
class Pool:
    """A k x k spatial pooling, "max" or "avg"; the stage's width must equal its input's.

    `pad` as in `Conv`; with `ceil` a last window that begins inside the image counts, as in Caffe.
    """

    op: str = "max"
    kernel: int = 3
    pad: int | None = field(default=None, metadata=LATER)
    ceil: bool = field(default=False, metadata=LATER)


@dataclass(frozen=True)
class LocalNorm:
    """Local response normalisation: x / (bias + alpha * sum of squares over `size` channels)**beta.

    Source: Krizhevsky et al., NIPS 2012, section 3.3.
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    bias: float = 2.0


@dataclass(frozen=True)
class Dropout:
    """Zero single values with the network's `drop_rate` while training; among the stages, not the stem."""


@dataclass(frozen=True)
class MLPConv:
    """A k x k convolution and 1x1 ones after it, each with bias and activation: a small net a pixel.

    `inner` are the widths before the last, which is the stage's. Source: arXiv 1312.4400 section 3.1.
    """

    kernel: int = 3
    inner: tuple[int, ...] = field(default=(192, 192), metadata=WIDTH)


@dataclass(frozen=True)
class Fire:
    """A 1x1 convolution to `squeeze` times the width, then half the width from 1x1 and half from 3x3.

    Source: arXiv 1602.07360 section 3.2.
    """

    squeeze: float = 0.125


@dataclass(frozen=True)
class MBConv:
    """Inverted bottleneck: 1x1 expand, k x k depthwise, squeeze-excite, 1x1 project.

    `se_ratio` is relative to the block's *input* width, as in EfficientNet's own code; with
    `se_expanded` to the expanded width, rounded to a multiple of 8, as in MobileNetV3. `se_gate` is
    "sigmoid" or "hard_sigmoid". `act` and `se_act` name the block's activation and the squeeze's ("":
    the network's, and the block's). A fractional `expand` gives an inner width rounded to a multiple of 8.
    Source: arXiv 1801.04381, arXiv 1807.11626, arXiv 1905.02244.
    """

    kernel: int = 3
    expand: float = 6
    se_ratio: float = 0.25
    act: str = field(default="", metadata=LATER)
    se_expanded: bool = field(default=False, metadata=LATER)
    se_act: str = field(default="", metadata=LATER)
    se_gate: str = field(default="sigmoid", metadata=LATER)


@dataclass(frozen=True)
class FusedMBConv:
    """Inverted bottleneck whose expansion is one k x k convolution. Source: arXiv 2104.00298."""

    kernel: int = 3
    expand: int = 4


@dataclass(frozen=True)
class Residual:
    """A residual block: convolutions of sizes `kernels` at an inner width, added to a shortcut.

    `inner` is the inner width over the block's output width (0.25 for a bottleneck, 1 for a basic
    block); `stride_at` the index of the strided convolution; `groups` those of the convolutions
    larger than 1x1 in a bottleneck. `shortcut` where shapes change: "projection" (1x1), "pool"
    (average pool, then 1x1; ResNet-D) or "zero_pad" (subsample and pad; option A).
    `preact` puts norm and activation before each convolution and a bare 1x1 on the shortcut.
    Source: arXiv 1512.03385, 1603.05027, 1611.05431, 1709.01507.
    """

    kernels: tuple[int, ...] = (3, 3)
    inner: float = 1.0
    stride_at: int = 0
    groups: int = 1
    se_ratio: float = 0.0
    shortcut: str = "projection"
    preact: bool = False


@dataclass(frozen=True)
class DepthwiseSeparable:
    """A k x k depthwise and a 1x1 convolution, each normalised and activated. Source: arXiv 1704.04861."""

    kernel: int = 3


@dataclass(frozen=True)
class ShuffleV1:
    """1x1 in groups, channel shuffle, k x k depthwise, 1x1 in groups; inner width a quarter of the output's.

    Added to its input; joined to the average-pooled input where shapes change. With `dense_first` the
    first 1x1 convolution there has no groups. The width must be a multiple of 4 `groups`.
    Source: arXiv 1707.01083.
    """

    kernel: int = 3
    groups: int = 3
    dense_first: bool = False


@dataclass(frozen=True)
class ShuffleV2:
    """Half of the channels through 1x1, k x k depthwise, 1x1, then a shuffle. Source: arXiv 1807.11164."""

    kernel: int = 3


Block = (
    Conv
    | Pool
    | MBConv
    | FusedMBConv
    | Residual
    | DepthwiseSeparable
    | ShuffleV1
    | ShuffleV2
    | LocalNorm
    | Dropout
    | MLPConv
    | Fire
)

KEEPING = (Pool, LocalNorm, Dropout)  # blocks whose width is their input's, and that never repeat


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
    after the last). `per_pixel` classifies and activates every pixel, then averages.
    """

    width: int | None = None
    preact: bool = False
    hidden: tuple[int, ...] = field(default=(), metadata=LATER)
    grid: int = field(default=1, metadata=LATER)
    slide: bool = field(default=False, metadata=LATER)
    per_pixel: bool = field(default=False, metadata=LATER)


@dataclass(frozen=True)
class Norm:
    """Batch normalisation: `eps`, and `momentum` as the decay of the running statistics."""

    eps: float = 1e-5
    momentum: float = 0.9


@dataclass(frozen=True)
class Arch:
    """One network of one size.

    `rounding` names the rule (see `scaling.rules.ROUNDINGS`) that turns scaled widths, depths and
    resolutions into integers; `padding` is "torch" (symmetric) or "tf" (SAME); `resolution` is the
    input side in pixels; `drop_rate` and `drop_path_rate` are the recipe's regularisation, both
    probabilities of dropping; `weights` names the peer whose tensor names `load_torch` reads.
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
    def strides(self) -> tuple[int, ...]:
        """Strides of the stem's stages, then of the stages."""
        return tuple(stage.stride for stage in self.stem + self.stages)

    def replace(self, **changes: Any) -> Arch:
        """Return a copy with fields changed.

        Beside the field names: `stem="small"` makes every stem convolution 3x3 with stride 1 and
        drops stem pooling (for images of about 32 px and less); `strides=(...)` sets the strides of
        stem and stages in the order of `Arch.strides`.
        """
        unknown = set(changes) - {f.name for f in dataclasses.fields(self)} - {"strides"}
        if unknown:
            raise TypeError(f"Arch has no field {sorted(unknown)}; see scaling.arch.Arch.")
        arch = self
        if (stem := changes.pop("stem", None)) is not None:
            arch = dataclasses.replace(arch, stem=small_stem(arch.stem) if stem == "small" else stem)
        if (strides := changes.pop("strides", None)) is not None:
            arch = _with_strides(arch, tuple(strides))
        return dataclasses.replace(arch, **changes)

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


BLOCKS = (
    *(Conv, Pool, MBConv, FusedMBConv, Residual, DepthwiseSeparable, ShuffleV1, ShuffleV2),
    *(LocalNorm, Dropout, MLPConv, Fire),
)
TYPES = {t.__name__: t for t in (*BLOCKS, Stage, Head, Norm, Arch)}


def small_stem(stem: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The stem for small images: 3x3 convolutions of stride 1, no pooling."""
    return tuple(
        Stage(dataclasses.replace(keeping_side(s.block), kernel=3), s.width, s.repeats, stride=1)
        for s in stem
        if isinstance(s.block, Conv | MLPConv)
    )


def keeping_side(block: Block) -> Block:
    """The block with the padding that keeps the side at stride 1."""
    return dataclasses.replace(block, pad=None) if isinstance(block, Conv | Pool) else block


def least_side(arch: Arch) -> int:
    """The smallest input side of which every stage leaves a pixel, given the paddings that blocks state."""
    side = 1
    for stage in reversed(arch.stem + arch.stages):
        side = _side_before(stage.block, stage.stride, side)
    return side


def _side_before(block: Block, stride: int, side: int) -> int:
    """The smallest side that a block turns into `side`."""
    if not isinstance(block, Conv | Pool) or block.pad is None:
        return (side - 1) * stride + 1
    if isinstance(block, Pool) and block.ceil:
        inside = (side - 1) * stride - block.pad + 1
        return max(1, inside, (side - 2) * stride + block.kernel - 2 * block.pad + 1)
    return max(1, (side - 1) * stride + block.kernel - 2 * block.pad)


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
    if any(isinstance(stage.block, Dropout) for stage in arch.stem):
        raise ValueError(f"{arch.name}: the stem drops nothing: put Dropout among the stages.")
    _check_head(arch)
    if arch.resolution < (least := least_side(arch)):
        raise ValueError(
            f"{arch.name}: resolution={arch.resolution} leaves no pixel after the unpadded windows of its "
            f"stages: it must be at least {least}."
        )


def _check_head(arch: Arch) -> None:
    head = arch.head
    if min((head.grid, *head.hidden)) < 1:
        raise ValueError(f"{arch.name}: the head has a hidden width or a grid below 1: {head}.")
    if not head.hidden and (head.grid != 1 or head.slide):
        raise ValueError(f"{arch.name}: grid and slide are of hidden layers, but the head has none: {head}.")
    if head.hidden and head.per_pixel:
        raise ValueError(f"{arch.name}: per_pixel classifies the feature map: drop hidden={head.hidden}.")


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
