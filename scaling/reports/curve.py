"""Rows as a scaling curve: what is on the axes, which runs belong together, the laws through them."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scaling.border.typed import flatten
from scaling.laws.power import Law, fit
from scaling.rules.factors import COMPOUND
from scaling.runs.rows import Row
from scaling.runs.spec import RunSpec


@dataclass(frozen=True)
class Axis:
    """A cost to draw against: its label with unit, the word for formulas, and its value in a row."""

    label: str
    word: str
    value: Callable[[Row], float | None]


AXES = {
    "macs": Axis("MACs per image", "MACs", lambda row: row.macs),
    "params": Axis("Parameters", "params", lambda row: row.params),
    "step_ms": Axis("Measured training step (ms)", "ms", lambda row: row.step_ms),
    "examples": Axis("Training examples seen", "examples", lambda row: row.examples_seen),
    "train_flops": Axis("Training FLOPs (2 per MAC)", "FLOPs", lambda row: row.train_flops),
}

BY_LENGTH = ("examples", "train_flops")  # axes that grow with the length of training

# The compound rule's bases, as a config calls them
PAPER_BASES = {"alpha": COMPOUND.depth, "beta": COMPOUND.width, "gamma": COMPOUND.resolution}

# How many errors the law's floor is, on a test set without a mistake.
LEAST_MISTAKES = 0.5


@dataclass(frozen=True)
class Group:
    """Runs of one recipe and size that differ in their seed only."""

    rows: tuple[Row, ...]

    @property
    def first(self) -> Row:
        return self.rows[0]

    @property
    def scores(self) -> list[float]:
        """Test accuracies of the runs that have one."""
        return [score for row in self.rows if (score := accuracy(row)) is not None]

    def mean(self, value: Callable[[Row], float | None]) -> float | None:
        """The mean of a field over the runs that have it, None where none has."""
        values = [v for row in self.rows if (v := value(row)) is not None]
        return statistics.fmean(values) if values else None

    @property
    def deviation(self) -> float | None:
        """The standard deviation of test accuracy over seeds; None with fewer than two."""
        return statistics.stdev(self.scores) if len(self.scores) > 1 else None


def accuracy(row: Row) -> float | None:
    """Test top-1 of the averaged or the raw parameters, whichever scored better on validation."""
    if row.status != "ok":
        return None
    return row.test_top1_ema if _averaged_is_better(row) else row.test_top1


def validation(row: Row) -> float | None:
    """Validation top-1 of the same parameters."""
    return row.val_top1_ema if _averaged_is_better(row) else row.val_top1


def drawn(rows: Sequence[Row]) -> list[Row]:
    """The runs that make points: finished, scored and counted."""
    return [row for row in rows if accuracy(row) is not None and row.macs > 0]


def group(rows: Sequence[Row]) -> list[Group]:
    """Runs that differ in their seed only, together; by MACs, then in order of appearance."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(_recipe(row.spec), []).append(row)
    made = [Group(tuple(sorted(found, key=lambda row: row.seed))) for found in groups.values()]
    return sorted(made, key=lambda g: g.first.macs)


def series(rows: Sequence[Row], axis: str = "macs") -> dict[str, list[Row]]:
    """Runs by the curve that they belong to: their family, and what else sets curves apart.

    Data set, network name, the kind of scaling (compound, or the axes that change) and the length of training
    join the label where they differ between rows; not the length along an axis that grows with it.
    """
    keys = [
        (row.dataset, row.family or network(row), network(row), scaling_kind(row), length(row))
        for row in rows
    ]
    several_networks = len({key[1:3] for key in keys}) > len({key[1] for key in keys})
    several = {i: len({key[i] for key in keys}) > 1 for i in (0, 3, 4)}
    several[4] &= axis not in BY_LENGTH
    found: dict[str, list[Row]] = {}
    for row, (dataset, family, name, kind, duration) in zip(rows, keys):
        parts = [name if several_networks else family]
        parts += [part for i, part in ((3, kind), (0, dataset), (4, duration)) if several[i]]
        found.setdefault(" · ".join(parts), []).append(row)
    return dict(sorted(found.items()))


def network(row: Row) -> str:
    """The name of the unscaled network."""
    model = row.spec.get("model", {})
    return str((model.get("arch") or {}).get("name") or model.get("name") or row.arch_name)


def length(row: Row) -> str:
    """How long the run trained, as its config says it."""
    return str(row.spec.get("train", {}).get("duration", ""))


def scaling_kind(row: Row) -> str:
    """How the network was scaled: the rule's name, or the axes that differ from the base."""
    model = row.spec.get("model", {})
    if row.phi is not None or model.get("size"):
        return str(model.get("rule", "compound"))
    return "+".join(_changed_axes(row)) or "base"


def size_label(row: Row) -> str:
    """The scaling coefficients in short: "φ=1", "d=2 w=1.5", or the name of a published size.

    Bases other than the paper's follow the phi, "φ=1 (1.4, 1.1, 1.1)".
    """
    model = row.spec.get("model", {})
    if size := model.get("size"):
        return str(size)
    if row.phi is not None:
        phi = f"φ={row.phi:g}".replace("-", "−")
        bases = tuple(model.get(name, value) for name, value in PAPER_BASES.items())
        named = (
            model.get("rule", "compound") == "compound" and row.phi and bases != tuple(PAPER_BASES.values())
        )
        return f"{phi} ({', '.join(f'{base:.3g}' for base in bases)})" if named else phi
    return " ".join(f"{axis[0]}={factor:.3g}" for axis, factor in _changed_axes(row).items()) or "base"


def law_points(rows: Sequence[Row], axis: str) -> tuple[list[float], list[float], float]:
    """The runs of one series as (x, error, floor) for a fit; those that differ in seed only share one x."""
    x, error = [], []
    for same in group(drawn(rows)):
        values = [v for row in same.rows if (v := AXES[axis].value(row))]
        if values:
            x += [statistics.geometric_mean(values)] * len(same.scores)
            error += [1 - score for score in same.scores]
    counts = [row.examples["test"] for row in rows if row.examples.get("test")]
    return x, error, LEAST_MISTAKES / max(counts, default=10_000)


def fit_law(rows: Sequence[Row], axis: str, resamples: int = 200) -> Law | None:
    """The law of one series along an axis."""
    return fit(*law_points(rows, axis), resamples=resamples)


def swept(rows: Sequence[Row]) -> tuple[dict[str, Any], list[str]]:
    """What all specs share, as {"section.key": value}, and the keys in which they differ.

    A field that came later than a row has its default there.
    """
    specs = [flatten(row.spec) for row in rows]
    keys = list(dict.fromkeys(key for spec in specs for key in spec))
    later = {key: value for key, value in _later_defaults().items() if key in keys}
    specs = [later | spec for spec in specs]
    first = specs[0] if specs else {}
    shared = [key for key in keys if all(key in spec and spec[key] == first.get(key) for spec in specs)]
    return {key: first[key] for key in shared}, [key for key in keys if key not in set(shared)]


def logistic() -> set[str]:
    """The keys of a spec, "section.key", that say how a run is executed and change no result."""
    fields = _fields().items()
    return {".".join(place) for place, entry in fields if not entry.metadata.get("identity", True)}


def _later_defaults() -> dict[str, Any]:
    """The defaults of fields that older rows lack, as JSON gives them."""
    fields = {".".join(place): entry for place, entry in _fields().items() if "later" in entry.metadata}
    return json.loads(json.dumps({key: entry.default for key, entry in fields.items()}))


def _averaged_is_better(row: Row) -> bool:
    return row.test_top1_ema is not None and (row.val_top1_ema or 0) >= (row.val_top1 or 0)


def _changed_axes(row: Row) -> dict[str, float]:
    model = row.spec.get("model", {})
    factors = {axis: model.get(axis, 1.0) for axis in ("depth", "width", "resolution")}
    return {axis: factor for axis, factor in factors.items() if not math.isclose(factor, 1.0)}


def _recipe(spec: dict[str, Any]) -> str:
    """A spec without its seed and without the fields that do not change a result, as text.

    Fields that came later are left out at their defaults, as in older rows.
    """
    kept = {
        section: {k: v for k, v in values.items() if tells(section, k, v)}
        if isinstance(values, dict)
        else values
        for section, values in spec.items()
        if section != "seed"
    }
    return json.dumps(kept, sort_keys=True)


def tells(section: str, key: str, value: Any) -> bool:
    """Whether a field of a spec sets its run apart: one that changes results, and is not at a later default."""
    entry = _fields().get((section, key))
    if entry is None:
        return True
    return entry.metadata.get("identity", True) and not ("later" in entry.metadata and value == entry.default)


@functools.cache
def _fields() -> dict[tuple[str, str], dataclasses.Field]:
    """The fields of the spec's sections by (section, name)."""
    sections = {name: value for name, value in vars(RunSpec()).items() if dataclasses.is_dataclass(value)}
    return {
        (name, entry.name): entry for name, value in sections.items() for entry in dataclasses.fields(value)
    }
