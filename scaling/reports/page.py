"""One self-contained `report.html`: opens from disk, loads nothing, shows every run."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from scaling.laws.power import Law, NoLaw
from scaling.reports import html
from scaling.reports.curve import (
    AXES,
    LEAST_MISTAKES,
    drawn,
    interval_of,
    metric_of,
    score_of,
    scored,
    swept,
    validation,
    weights_of,
)
from scaling.reports.figure import colour, law_grid
from scaling.reports.labels import network, size_label
from scaling.reports.learning import Learning, metrics
from scaling.reports.study import Study
from scaling.reports.table import basis, describe, formula
from scaling.reports.units import MISSING, duration, number, percent, si
from scaling.runs.rows import OK, Row

# The costs that the page can be drawn against, by their names on its buttons.
AXIS_NAMES = {"macs": "MACs", "params": "Parameters", "step_ms": "Step time", "train_flops": "Training FLOPs"}
HEADS = (
    "Run", "Network", "Size", "px", "Params", "MACs", "Val {metric} %", "Test {metric} %", "Weights", "Train FLOPs",
    "Step ms", "Time", "Seed", "Status",
)  # fmt: skip
TEXT_HEADS = ("Run", "Network", "Size", "Weights", "Status")


def to_html(
    study: Study, curves: Sequence[Learning], title: str, sheets: Mapping[str, bytes] | None = None
) -> str:
    """The page of a study; `sheets` are PNGs of what runs answered, by the runs' ids."""
    rows = study.rows
    parts = {
        "curves_note": _curves_note(rows, curves),
        "columns": html.heads([head.format(metric=metric_of(rows).title) for head in HEADS], TEXT_HEADS),
        "runs": [
            _table_line(name, row) for name, found in study.series.items() for row in _by_size(found.rows)
        ],
        "pictures": [
            _picture(row, (sheets or {})[row.id]) for row in _by_size(rows) if row.id in (sheets or {})
        ],
        "lost": _lost(rows),
        "problems": study.problems,
        **_config(rows),
        "provenance": _provenance(rows),
    }
    template = html.WEB / "study.html"
    return html.document(template, title, _lead(study), _cards(rows), parts, _data(study, curves))


def _data(study: Study, curves: Sequence[Learning]) -> dict[str, Any]:
    """What the script draws."""
    named = study.series
    colours = {name: colour(i) for i, name in enumerate(n for n, found in named.items() if found.drawn)}
    names = {row.id: name for name, found in named.items() for row in found.rows}
    series_ = [
        {
            "name": name,
            "colour": colours[name],
            "rows": [_point(row) for row in named[name].drawn],
            "laws": {axis: _law(study.laws(axis)[name], named[name].drawn, axis) for axis in AXIS_NAMES},
        }
        for name in colours
    ]
    return {
        "axes": {axis: AXES[axis].label for axis in AXIS_NAMES},
        "names": AXIS_NAMES,
        "series": series_,
        "curves": _curves(curves, names, colours),
        "metrics": metrics(curves),
        "score": metric_of(study.rows).word,
    }


def _point(row: Row) -> dict[str, Any]:
    score = score_of(row) or 0.0
    floor = LEAST_MISTAKES / row.examples.get("test", 10_000)
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


def _curves(
    curves: Sequence[Learning], names: dict[str, str], colours: dict[str, str]
) -> list[dict[str, Any]]:
    """Learning curves in their series' colour, lighter for smaller networks."""
    sizes = sorted({(names[c.row.id], c.row.macs) for c in curves})
    made = []
    for curve in curves:
        name = names[curve.row.id]
        own = [macs for series_name, macs in sizes if series_name == name]
        depth = (own.index(curve.row.macs) + 1) / len(own)
        label = f"{name if len(colours) > 1 else network(curve.row)} {size_label(curve.row)}, seed {curve.row.seed}"
        shade = _tint(colours.get(name, "#6b6f76"), 0.65 * (1 - depth))
        lines = {
            key: {axis: [float(f"{v:.5g}") for v in values] for axis, values in line.items()}
            for key, line in curve.lines.items()
        }
        made.append({"id": curve.row.id, "name": label, "colour": shade, "lines": lines})
    return made


def _tint(colour_: str, white: float) -> str:
    channels = (int(colour_[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(c + (255 - c) * white):02x}" for c in channels)


def _lead(study: Study) -> str:
    datasets = ", ".join(sorted({row.dataset for row in study.rows if row.dataset})) or "no data set"
    word = metric_of(study.rows).word
    return f"Test {word} on {datasets} against the cost of the network: {', '.join(study.series) or 'no runs yet'}."


def _cards(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """The study in five numbers: (number, what it is)."""
    finished = drawn(rows)
    cards = [(f"{len(finished)} of {len(rows)}", "runs finished with a score")]
    if not finished:
        return cards
    best = max(finished, key=lambda row: score_of(row) or 0.0)
    macs = [row.macs for row in finished]
    cards.append(
        (
            f"{percent(score_of(best))} %",
            f"best test {metric_of(rows).word}: {network(best)} {size_label(best)}",
        )
    )
    cards.append((f"{si(min(macs))} – {si(max(macs))}", f"MACs per image, ×{number(max(macs) / min(macs))}"))
    cards.append((str(len({row.seed for row in finished})), "seeds"))
    cards.append((duration(sum(row.seconds or 0.0 for row in rows)), "of training in all"))
    return cards


def _curves_note(rows: Sequence[Row], curves: Sequence[Learning]) -> str:
    if not curves:
        return "No metrics.jsonl was found beside the rows."
    some = f"{len(curves)} of {len(rows)} runs, every size first. " if len(curves) < len(rows) else ""
    return f"{some}Lighter lines are smaller networks."


def _by_size(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row.macs, row.seed))


def _table_line(name: str, row: Row) -> list[html.Cell]:
    return [
        html.text_cell(row.id, code=True),
        html.text_cell(name),
        html.text_cell(size_label(row)),
        html.number_cell(row.resolution, str(row.resolution or MISSING)),
        html.number_cell(row.params, si(row.params)),
        html.number_cell(row.macs, si(row.macs)),
        html.number_cell(validation(row), percent(validation(row))),
        html.number_cell(score_of(row), percent(score_of(row))),
        html.text_cell(weights_of(row) or MISSING),
        html.number_cell(row.train_flops, si(row.train_flops)),
        html.number_cell(row.step_ms, number(row.step_ms)),
        html.number_cell(row.seconds, duration(row.seconds)),
        html.number_cell(row.seed, str(row.seed)),
        html.status_cell(row.status),
    ]


def _picture(row: Row, sheet: bytes) -> html.Picture:
    """What a run answered, under the name of its network."""
    about = f"{network(row)} {size_label(row)}, seed {row.seed}: test {percent(score_of(row))} %"
    return html.Picture(f"data:image/png;base64,{base64.b64encode(sheet).decode()}", about)


def _lost(rows: Sequence[Row]) -> list[html.Message]:
    """The runs without a result, with what each left as its last words."""
    return [
        html.Message(row.status, row.id, f"{network(row)} {size_label(row)}, seed {row.seed}", row.message)
        for row in rows
        if row.status != OK
    ]


def _config(rows: Sequence[Row]) -> dict[str, Any]:
    """The keys that differ between runs, and as text what all share."""
    shared, varied = swept(rows)
    return {
        "varied": varied,
        "shared": "\n".join(f"{key} = {json.dumps(value)}" for key, value in shared.items()),
    }


def _provenance(rows: Sequence[Row]) -> dict[str, str]:
    """Where the numbers come from, each distinct value once."""
    versions = sorted({f"{name} {version}" for row in rows for name, version in row.versions.items()})
    devices = sorted({f"{row.device_count} × {row.device_kind}" for row in rows if row.device_kind})
    splits = sorted({f"{row.dataset}: {_splits(row)}" for row in rows if row.examples})
    finished = [row.finished for row in rows if row.finished]
    return {
        "Git revision": ", ".join(sorted({row.git_revision for row in rows if row.git_revision})),
        "Versions": ", ".join(versions),
        "Devices": ", ".join(devices),
        "Examples": "; ".join(splits),
        "Finished": f"{min(finished)} to {max(finished)}" if finished else "",
    }


def _splits(row: Row) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in row.examples.items())


def _rounded(values: Any) -> list[float]:
    return [float(f"{v:.6g}") for v in values]
