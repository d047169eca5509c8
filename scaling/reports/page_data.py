"""What the script of a study's page draws: points, laws and learning curves, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from scaling.laws.power import Law, NoLaw
from scaling.reports.curve import (
    AXES,
    interval_of,
    least_error,
    metric_of,
    score_of,
    scored,
    validation,
)
from scaling.reports.figure import COLOURS, colour, law_grid
from scaling.reports.labels import network, size_label
from scaling.reports.learning import Learning, metrics
from scaling.reports.run_table import RunTable
from scaling.reports.study import Study
from scaling.reports.table import basis, describe, formula
from scaling.reports.units import duration, number, percent, si
from scaling.runs.rows import Row

# The costs that the page can be drawn against, by their names on its buttons.
AXIS_NAMES = {"macs": "MACs", "params": "Parameters", "step_ms": "Step time", "train_flops": "Training FLOPs"}
# Colours of a setting: numbers from low to high, and what has no value.
SCALE = ("#5b3fa8", "#c2385f", "#c9761a")
NO_COLOUR = COLOURS[-1]


def page_data(study: Study, curves: Sequence[Learning], table: RunTable) -> dict[str, Any]:
    """What the script draws; of all else that it tells of a run it reads the table."""
    named = study.series
    names = [name for name, found in named.items() if found.drawn]
    return {
        "axes": {axis: AXES[axis].label for axis in AXIS_NAMES},
        "names": AXIS_NAMES,
        "series": [
            {
                "name": name,
                "colour": colour(i),
                "rows": [_point(row) for row in named[name].drawn],
                "laws": {axis: _law(study.laws(axis)[name], named[name].drawn, axis) for axis in AXIS_NAMES},
            }
            for i, name in enumerate(names)
        ],
        "curves": _curves(curves, {row.id: name for name, found in named.items() for row in found.rows}),
        "metrics": metrics(curves),
        "score": metric_of(study.rows).word,
        "column": table.score,
        "keys": table.keys,
        "colours": COLOURS,
        "scale": SCALE,
        "none": NO_COLOUR,
    }


def _point(row: Row) -> dict[str, Any]:
    score = score_of(row) or 0.0
    floor = least_error([row])
    x = {axis: AXES[axis].value(row) for axis in AXIS_NAMES}
    point = {"id": row.id, "x": x, "error": round(max(1 - score, floor), 6), "hover": _hover(row)}
    if (interval := interval_of(row)) is not None:
        point["errors"] = [round(max(1 - end, floor), 6) for end in reversed(interval)]
    return point


def _hover(row: Row) -> str:
    lines = [
        f"<b>{escape(network(row))} {escape(size_label(row))}</b>",
        scored(row),
        f"validation {percent(validation(row))} %",
        f"depth ×{number(row.depth_factor)}, width ×{number(row.width_factor)}, {row.resolution} px",
        f"{si(row.params)} params, {si(row.macs)} MACs",
        f"step {number(row.step_ms)} ms, {si(row.train_flops)} training FLOPs",
        f"seed {row.seed}, {row.status}, {duration(row.seconds)}, run {row.id}",
    ]
    return "<br>".join(lines)


def _law(law: Law | NoLaw, rows: Sequence[Row], axis: str) -> dict[str, Any]:
    if isinstance(law, NoLaw):
        return {"none": describe(law, axis)}
    x = law_grid([v for row in rows if (v := AXES[axis].value(row))], points=60)
    low, high = law.band(x)
    return {
        "x": _rounded(x),
        "mid": _rounded(law.error(x)),
        "formula": formula(law, axis),
        "basis": basis(law),
        "low": _rounded(low),
        "high": _rounded(high),
    }


def _curves(curves: Sequence[Learning], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Learning curves; `depth` is 1 for the largest network of a series, less for smaller ones."""
    sizes = sorted({(names[c.row.id], c.row.macs) for c in curves})
    several = len({name for name, _ in sizes}) > 1
    made = []
    for curve in curves:
        name = names[curve.row.id]
        own = [macs for series_name, macs in sizes if series_name == name]
        depth = round((own.index(curve.row.macs) + 1) / len(own), 3)
        label = f"{name if several else network(curve.row)} {size_label(curve.row)}, seed {curve.row.seed}"
        lines = {
            key: {axis: [float(f"{v:.5g}") for v in values] for axis, values in line.items()}
            for key, line in curve.lines.items()
        }
        made.append({"id": curve.row.id, "name": label, "depth": depth, "lines": lines})
    return made


def _rounded(values: Any) -> list[float]:
    return [float(f"{v:.6g}") for v in values]
