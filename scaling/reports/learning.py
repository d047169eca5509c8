"""Learning curves of a study, read from `metrics.jsonl` and thinned for drawing."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from scaling.border.lines import unseal
from scaling.reports.study import Study
from scaling.runs.rows import Row

MAX_POINTS = 160
# The learning curves of more runs than this can be neither told apart nor kept in a page.
MAX_RUNS = 60
PLACES = ("step", "epoch", "split")
SPLITS = ("validation", "train")

Lines = dict[str, dict[str, list[float]]]


@dataclass(frozen=True)
class Learning:
    """One run's lines, {"split metric": {"x": epochs, "y": values}}."""

    row: Row
    lines: Lines


def choose(study: Study, limit: int = MAX_RUNS) -> list[Row]:
    """The runs to draw of those with a directory: every curve's sizes first, then further seeds."""
    groups = [
        [row for row in same.rows if row.id in study.directories]
        for found in study.series.values()
        for same in found.groups
    ]
    deepest = max(map(len, groups), default=0)
    by_seed = [rows[i] for i in range(deepest) for rows in groups if i < len(rows)]
    chosen = {row.id for row in by_seed[:limit]}
    return [row for rows in groups for row in rows if row.id in chosen]


def read(path: Path) -> Lines:
    """The numbers of one `metrics.jsonl`; a damaged line, or a cut-off last one, is left out."""
    found: Lines = {}
    for line in _objects(path):
        x = line.get("epoch", line.get("step"))
        if line.get("split") not in SPLITS or not _is_number(x):
            continue
        for key in line.keys() - set(PLACES):
            if _is_number(line[key]):
                curve = found.setdefault(f"{line['split']} {key}", {"x": [], "y": []})
                curve["x"].append(float(x))
                curve["y"].append(float(line[key]))
    return {key: {axis: _thin(values) for axis, values in curve.items()} for key, curve in found.items()}


def metrics(curves: Sequence[Learning]) -> list[str]:
    """The metrics that any run has: validation first, accuracy before loss."""
    order = {"top1": 0, "top1_ema": 1, "loss": 2, "top5": 3, "top5_ema": 4, "lr": 5}
    names = {name for curve in curves for name in curve.lines}
    return sorted(names, key=lambda n: (SPLITS.index(n.split()[0]), order.get(n.split()[1], 9), n))


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with open(path, errors="replace") as file:
        for text in file:
            with contextlib.suppress(ValueError):
                yield unseal(text)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _thin(values: list[float]) -> list[float]:
    """At most about `MAX_POINTS` values, evenly, with the last."""
    stride = -(-len(values) // MAX_POINTS)
    kept = values[::stride]
    return kept if (len(values) - 1) % stride == 0 else [*kept, values[-1]]
