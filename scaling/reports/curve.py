"""Rows as a scaling curve: what is on the axes, which runs differ in their seed only, the law of a series."""

from __future__ import annotations

import dataclasses
import functools
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scaling.border.typed import flatten, plain
from scaling.laws.power import Law, NoLaw, fit
from scaling.laws.proportion import wilson
from scaling.reports.units import percent
from scaling.runs.recorded import SECTIONS, by_object
from scaling.runs.rows import AVERAGED, OK, Row
from scaling.runs.spec import RunSpec, identity
from scaling.tasks import named
from scaling.tasks.task import Metric


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
        """Test scores of the runs that have one."""
        return [found for row in self.rows if (found := score_of(row)) is not None]

    def mean(self, value: Callable[[Row], float | None]) -> float | None:
        """The mean of a field over the runs that have it, None where none has."""
        values = [v for row in self.rows if (v := value(row)) is not None]
        return statistics.fmean(values) if values else None

    @property
    def deviation(self) -> float | None:
        """The standard deviation of test scores over seeds; None with fewer than two."""
        return statistics.stdev(self.scores) if len(self.scores) > 1 else None


SEVERAL = Metric("", "score", "score")  # what rows of several tasks have in common


def metric_of(rows: Sequence[Row]) -> Metric:
    """The metric by which these runs are compared: that of their task, or `SEVERAL`."""
    found = {named(task).metric for task in {row.spec.task for row in rows}}
    return found.pop() if len(found) == 1 else SEVERAL if found else named(RunSpec().task).metric


def score_of(row: Row) -> float | None:
    """The task's metric on the test split, as a fraction: of averaged or raw parameters, whichever validated
    better."""
    return _fraction(row, measure_of(row))


def measure_of(row: Row) -> float | None:
    """The same in the metric's own unit."""
    return row.metrics.get(_measured(row, "test")) if row.status == OK else None


def validation(row: Row) -> float | None:
    """The metric of the same parameters on the validation split, as a fraction."""
    return _fraction(row, row.metrics.get(_measured(row, "val")))


def _fraction(row: Row, value: float | None) -> float | None:
    return None if value is None else named(row.spec.task).metric.fraction(value)


def interval_of(row: Row) -> tuple[float, float] | None:
    """The interval of a row's test score by its number of examples, for a metric that counts them."""
    score, count = score_of(row), row.examples.get("test")
    return wilson(score, count) if score is not None and count and metric_of([row]).of_examples else None


def weights_of(row: Row) -> str:
    """Whether the score is of "raw" or "averaged" weights; "" without a score."""
    if score_of(row) is None:
        return ""
    return "averaged" if _measured(row, "test").endswith(AVERAGED) else "raw"


def scored(row: Row) -> str:
    """A row's test score in words, with its interval and whose it is; "" without one."""
    score, interval = score_of(row), interval_of(row)
    if score is None:
        return ""
    metric, measured = metric_of([row]), measure_of(row)
    if metric.unit and measured is not None:
        return f"test {metric.told(measured)} ({weights_of(row)} weights)"
    between = f"{percent(interval[0])} to {percent(interval[1])} %, " if interval else ""
    return f"test {metric.title} {percent(score)} % ({between}{weights_of(row)} weights)"


def drawn(rows: Sequence[Row]) -> list[Row]:
    """The runs that make points: finished, scored and counted."""
    return [row for row in rows if score_of(row) is not None and row.macs > 0]


def group(rows: Sequence[Row]) -> list[Group]:
    """Runs that differ in their seed only, together; by MACs, then in order of appearance."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    computed = by_object(identity)  # what a section computes, in short
    for row in rows:
        recipe = row.spec.task, *(computed(getattr(row.spec, section)) for section in SECTIONS)
        groups.setdefault(recipe, []).append(row)
    made = [Group(tuple(sorted(found, key=lambda row: row.seed))) for found in groups.values()]
    return sorted(made, key=lambda g: g.first.macs)


def law_points(points: Sequence[Group], axis: str) -> tuple[list[float], list[float], float]:
    """The scored groups of one series as (x, error, floor) for a fit; the runs of a group share one x."""
    x, error = [], []
    for same in points:
        values = [v for row in same.rows if (v := AXES[axis].value(row))]
        if values:
            # one value stays what it is: sizes are told apart by it, and a mean rounds
            size = values[0] if len(set(values)) == 1 else statistics.geometric_mean(values)
            x += [size] * len(same.scores)
            error += [1 - found for found in same.scores]
    return x, error, least_error([row for same in points for row in same.rows])


def least_error(rows: Sequence[Row]) -> float:
    """The smallest error that the test set can tell from 0, where errors are of whole examples."""
    counts = [row.examples["test"] for row in rows if row.examples.get("test")]
    whole = bool(rows) and metric_of(rows).of_examples
    return LEAST_MISTAKES / (max(counts, default=10_000) if whole else 10_000)


def fit_law(points: Sequence[Group], axis: str, resamples: int = 200) -> Law | NoLaw:
    """The law of one series along an axis, or why it has none."""
    return fit(*law_points(points, axis), resamples=resamples)


def swept(rows: Sequence[Row]) -> tuple[dict[str, Any], list[str]]:
    """What all specs share, as {"section.key": value}, and the keys in which they differ."""
    shared: dict[str, Any] = {}
    varied: list[str] = []
    for name in (*SECTIONS, "seed"):
        parts = {id(part): part for part in (getattr(row.spec, name) for row in rows)}
        flat = [flatten({name: plain(part)}) for part in parts.values()]
        for key in dict.fromkeys(key for values in flat for key in values):
            first = flat[0].get(key)
            if all(key in values and values[key] == first for values in flat):
                shared[key] = first
            else:
                varied.append(key)
    return dict(sorted(shared.items())), sorted(varied)


def execution_keys() -> set[str]:
    """The keys of a spec, "section.key", that say how a run is executed and change no result."""
    fields = _fields().items()
    return {".".join(place) for place, entry in fields if not entry.metadata.get("identity", True)}


def tells(section: str, key: str, value: Any) -> bool:
    """Whether this value of a spec's field tells its run from others.

    A field that cannot change results does not, nor one added later that still has its default.
    """
    entry = _fields().get((section, key))
    if entry is None:
        return True
    return entry.metadata.get("identity", True) and not ("later" in entry.metadata and value == entry.default)


def _measured(row: Row, split: str) -> str:
    """Which of a row's metrics is its score on a split."""
    name, found = named(row.spec.task).metric.name, row.metrics
    validated = [found.get(f"val_{name}{form}") or 0 for form in (AVERAGED, "")]
    averaged = found.get(f"test_{name}{AVERAGED}") is not None and validated[0] >= validated[1]
    return f"{split}_{name}{AVERAGED if averaged else ''}"


@functools.cache
def _fields() -> dict[tuple[str, str], dataclasses.Field]:
    """The fields of the spec's sections by (section, name)."""
    default = RunSpec()
    return {
        (name, entry.name): entry for name in SECTIONS for entry in dataclasses.fields(getattr(default, name))
    }
