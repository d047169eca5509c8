"""Rules as values: the factors of depth, width and resolution that a published rule gives.

A rule is a curve (`Powers`: any phi) or a list of published sizes (`Table`). They know numbers only; how
scaled sizes become integers is a rounding (`scaling.rules.rounding.ROUNDINGS`), and
`scaling.rules.scale.apply` joins them. Detectors have a rule that is both (`Detectors`).
"""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

AXES = ("depth", "width", "resolution")


@dataclass(frozen=True)
class Coefficients:
    """Factors over the base network; `phi` is None where they do not come from a phi."""

    depth: float = 1.0
    width: float = 1.0
    resolution: float = 1.0
    phi: float | None = None


@dataclass(frozen=True)
class Powers:
    """Three bases to the power of phi; a base of 1 leaves its axis as it is, phi = 0 the network."""

    name: str
    depth: float = 1.0
    width: float = 1.0
    resolution: float = 1.0

    least = -math.inf  # of all phi there is none

    def __post_init__(self):
        check_factors(depth=self.depth, width=self.width, resolution=self.resolution)

    def factors(self, phi: float) -> Coefficients:
        """The factors at phi, of any sign; ValueError where one is no finite number above 0."""
        depth, width, resolution = (_power(getattr(self, axis), phi) for axis in AXES)
        return Coefficients(depth, width, resolution, phi)

    @property
    def bases(self) -> tuple[float, ...]:
        """What is taken to the power of phi, but for ones."""
        return tuple(getattr(self, axis) for axis in self.axes)

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes that the rule moves."""
        return tuple(axis for axis in AXES if getattr(self, axis) != 1)


@dataclass(frozen=True)
class Size:
    """One published size: factors over the base, depth one for all stages or one for each."""

    name: str
    depth: float | tuple[float, ...] = 1.0
    width: float = 1.0
    resolution: float = 1.0


@dataclass(frozen=True)
class Table:
    """Published sizes of one family, applicable to any base; `source` says where they are printed."""

    name: str
    sizes: tuple[Size, ...]
    source: str

    def size(self, name: str) -> Size:
        """The size of that name; ValueError with the nearest names where there is none."""
        return _named(self.name, self.sizes, name)


@dataclass(frozen=True)
class DetectorFactors:
    """What a size of a detector has over its base: factors, and the layers and levels that are added.

    `depth` and `width` are the backbone's; `fusion` replaces that of a BiFPN (empty: keeps it); `anchors` is
    the factor of the anchors' sides.
    """

    depth: float
    width: float
    neck_width: float
    cells: int
    repeats: int
    resolution: float
    fusion: str = ""
    anchors: float = 1.0
    levels: int = 0
    phi: float | None = None


@dataclass(frozen=True)
class DetectorSize:
    """A published detector: its EfficientNet, its neck's width and cells, its towers' layers, its side."""

    name: str
    backbone: str
    width: int
    cells: int
    repeats: int
    side: int
    fusion: str = ""
    anchors: float = 1.0
    levels: int = 0


@dataclass(frozen=True)
class Detectors:
    """EfficientDet's rule: one phi for backbone, neck, towers and resolution, or a published size.

    phi takes the neck's width to 1.35**phi, adds phi cells, floor(phi / 3) layers to the towers and a quarter
    of the side for each phi. The backbone is EfficientNet's of that phi, in between and beyond 7 by the same
    steps, and below 0 by 1.2**phi and 1.1**phi. The published sizes depart from this here and there.
    Source: arXiv 1911.09070 section 4.2, equations 1 to 3, and Table 1.
    """

    name: str
    sizes: tuple[DetectorSize, ...]
    source: str

    bases = (1.2, 1.1, 1.35)
    least = math.nextafter(-4.0, 0.0)  # the least phi: 1 + phi / 4 of the side must be above 0

    def at(self, at: float | str) -> DetectorFactors:
        """The factors at a phi of any sign, or of the size of that name; ValueError where there is none."""
        return self._published(at) if isinstance(at, str) else self._formula(float(at))

    def size(self, name: str) -> DetectorSize:
        """The size of that name; ValueError with the nearest names where there is none."""
        return _named(self.name, self.sizes, name)

    def _published(self, name: str) -> DetectorFactors:
        base, size = self.sizes[0], self.size(name)
        row = {name: (depth, width) for name, width, depth, _ in EFFICIENTNET_ROWS}[size.backbone]
        grown = size.width / base.width, size.cells - base.cells, size.repeats - base.repeats
        rest = size.side / base.side, size.fusion, size.anchors, size.levels
        return DetectorFactors(*row, *grown, *rest)

    def _formula(self, phi: float) -> DetectorFactors:
        if not (phi >= self.least and math.isfinite(phi)):
            raise ValueError(
                f"phi={phi} leaves rule {self.name!r} no side, 1 + phi / 4 of the base's: choose a finite one above -4."
            )
        grown = _power(1.35, phi), math.floor(phi + 0.5), math.floor(phi / 3)
        return DetectorFactors(*_efficientnet(phi), *grown, 1 + phi / 4, phi=phi)


Rule = Powers | Table | Detectors


def _power(base: float, phi: float) -> float:
    """base**phi; ValueError where that is no finite number above 0."""
    try:
        factor = base**phi
    except OverflowError:
        factor = math.inf
    if not 0 < factor < math.inf:
        raise ValueError(
            f"phi={phi:g} gives the factor {base:.6g}**phi={factor}, not a finite one above 0: choose a phi nearer to 0."
        )
    return factor


def _efficientnet(phi: float) -> tuple[float, float]:
    """EfficientNet's factors of depth and width: the rows of B0 to B7 at whole phi, lines between."""
    rows = [(depth, width) for _, width, depth, _ in EFFICIENTNET_ROWS[:8]]
    low = min(max(math.floor(phi), 0), len(rows) - 1)
    (depth, width), part = rows[low], phi - low
    if 0 <= part < 1 and low + 1 < len(rows):
        further = rows[low + 1]
        return depth + part * (further[0] - depth), width + part * (further[1] - width)
    return depth * 1.2**part, width * 1.1**part


def _named(rule: str, sizes: Sequence[Any], name: str) -> Any:
    found = {size.name: size for size in sizes}
    if name not in found:
        close = difflib.get_close_matches(name, found, n=3, cutoff=0.4) or list(found)
        raise ValueError(f"rule {rule!r} has no size {name!r}: choose one of {', '.join(close)}.")
    return found[name]


def check_factors(**factors: float) -> None:
    """Raise ValueError for a factor that is not finite and above 0."""
    for name, factor in factors.items():
        try:
            good = factor > 0 and math.isfinite(factor)
        except (TypeError, ValueError):  # text, or an array
            good = False
        if not good:
            raise ValueError(
                f"{name}={factor} must be a finite factor above 0: 1 leaves the axis as it is, "
                "values below 1 shrink it."
            )


def compound_rule(alpha: float = 1.2, beta: float = 1.1, gamma: float = 1.15) -> Powers:
    """Compound scaling; the defaults are those of arXiv 1905.11946 section 4."""
    return Powers("compound", alpha, beta, gamma)


def compound_grid(step: float = 0.05, tolerance: float = 0.1, cost: float = 2.0) -> tuple[Powers, ...]:
    """Compound rules whose phi = 1 costs about `cost` times the multiply-adds, on a grid of that `step`.

    All (alpha, beta, gamma) of 1 or more with alpha * beta**2 * gamma**2 within `tolerance` of `cost`: the
    candidates of the search of arXiv 1905.11946 section 4, single axes among them where the grid holds them.
    """
    if not (step > 0 and tolerance >= 0 and cost >= 1):
        raise ValueError(
            f"step={step} must be above 0, tolerance={tolerance} at least 0, cost={cost} at least 1."
        )
    most = round((cost + tolerance - 1) / step)
    bases = [round(1 + i * step, 10) for i in range(most + 1)]
    triples = itertools.product(bases, repeat=3)
    return tuple(
        compound_rule(alpha, beta, gamma)
        for alpha, beta, gamma in triples
        if abs(alpha * beta**2 * gamma**2 - cost) <= tolerance + 1e-9
    )


def dwr(exponent: float = 0.8, name: str = "dwr") -> Powers:
    """Fast compound scaling: width takes the share `exponent` of the multiply-adds, the rest is halved.

    phi counts doublings of the multiply-adds, s = 2**phi: depth grows by s**((1 - a) / 2), width by
    s**(a / 2), resolution by s**((1 - a) / 4), a being the exponent. Source: arXiv 2103.06877 section 5;
    a = 0.8 is `d1_w8_g8_r1` of facebookresearch/pycls pycls/models/scaler.py. ValueError outside [0, 1].
    """
    if not 0 <= exponent <= 1:
        raise ValueError(
            f"exponent={exponent} of dwr must be in [0, 1]: the share of width, 0.8 in the paper."
        )
    rest = (1 - exponent) / 2
    return Powers(name, 2**rest, 2 ** (exponent / 2), 2 ** (rest / 2))


# One axis, each to twice the multiply-adds at phi = 1
DEPTH = Powers("depth", depth=2)
WIDTH = Powers("width", width=math.sqrt(2))
RESOLUTION = Powers("resolution", resolution=math.sqrt(2))
# A third of the growth to each axis: "dwr" in arXiv 2103.06877 Table 1
UNIFORM = dwr(1 / 3, "uniform")
COMPOUND = compound_rule()

# (name, width, depth, resolution): tensorflow/tpu models/official/efficientnet/efficientnet_builder.py
EFFICIENTNET_ROWS = (
    ("b0", 1.0, 1.0, 224),
    ("b1", 1.0, 1.1, 240),
    ("b2", 1.1, 1.2, 260),
    ("b3", 1.2, 1.4, 300),
    ("b4", 1.4, 1.8, 380),
    ("b5", 1.6, 2.2, 456),
    ("b6", 1.8, 2.6, 528),
    ("b7", 2.0, 3.1, 600),
    ("b8", 2.2, 3.6, 672),
    ("l2", 4.3, 5.3, 800),
)
EFFICIENTNET = Table(
    "efficientnet",
    tuple(Size(name, depth, width, side / 224) for name, width, depth, side in EFFICIENTNET_ROWS),
    "tensorflow/tpu models/official/efficientnet/efficientnet_builder.py",
)

# arXiv 1911.09070 Table 1; D6 to D7x and the anchors from google/automl efficientdet/hparams_config.py
EFFICIENTDET = Detectors(
    "efficientdet",
    (
        DetectorSize("d0", "b0", 64, 3, 3, 512),
        DetectorSize("d1", "b1", 88, 4, 3, 640),
        DetectorSize("d2", "b2", 112, 5, 3, 768),
        DetectorSize("d3", "b3", 160, 6, 4, 896),
        DetectorSize("d4", "b4", 224, 7, 4, 1024),
        DetectorSize("d5", "b5", 288, 7, 4, 1280),
        DetectorSize("d6", "b6", 384, 8, 5, 1280, "sum"),
        DetectorSize("d7", "b6", 384, 8, 5, 1536, "sum", 1.25),
        DetectorSize("d7x", "b7", 384, 8, 5, 1536, "sum", 1.0, 1),
    ),
    "arXiv 1911.09070 Table 1",
)

# depth: blocks of the four stages. tensorflow/tpu models/official/resnet/resnet_rs
RESNET_RS_REPEATS = {
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
    270: (4, 29, 53, 4),
    350: (4, 36, 72, 4),
    420: (4, 44, 87, 4),
}
# (depth, resolution), from the smallest. tensorflow/tpu models/official/resnet/resnet_rs/README.md
RESNET_RS_ROWS = (
    (50, 160),
    (101, 160),
    (101, 192),
    (152, 192),
    (152, 224),
    (152, 256),
    (200, 256),
    (270, 256),
    (350, 256),
    (350, 320),
    (420, 320),
)


def _resnet_rs(depth: int, side: int) -> Size:
    pairs = zip(RESNET_RS_REPEATS[depth], RESNET_RS_REPEATS[50])
    return Size(f"{depth}@{side}", tuple(blocks / base for blocks, base in pairs), resolution=side / 160)


# Depth first, resolution slowly, width never: arXiv 2103.07579 section 6, for networks of four stages
RESNET_RS = Table(
    "resnet_rs",
    tuple(_resnet_rs(*row) for row in RESNET_RS_ROWS),
    "tensorflow/tpu models/official/resnet/resnet_rs/README.md",
)

# Width multiplier x resolution multiplier, largest first: arXiv 1704.04861 Tables 6 and 7
MOBILENET = Table(
    "mobilenet",
    tuple(
        Size(f"{width:g}@{side}", width=width, resolution=side / 224)
        for width, side in itertools.product((1.0, 0.75, 0.5, 0.25), (224, 192, 160, 128))
    ),
    "arXiv 1704.04861 section 3.3 and 3.4, Tables 6 and 7",
)

RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        *(COMPOUND, DEPTH, WIDTH, RESOLUTION, UNIFORM, dwr()),
        *(EFFICIENTNET, RESNET_RS, MOBILENET, EFFICIENTDET),
    )
}
