"""The page's table of runs: what every run has, and a column for each key of the config that differs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scaling.border.typed import flatten, plain
from scaling.reports import html
from scaling.reports.curve import metric_of, score_of, swept, validation, weights_of
from scaling.reports.labels import size_label
from scaling.reports.study import Study
from scaling.reports.units import MISSING, duration, number, percent, si
from scaling.runs.recorded import by_object
from scaling.runs.rows import Row

SERIES, SCORE = "Network", "Test {metric} %"  # what the script colours by at first, and what it draws
HEADS = (
    "Run", "Status", SERIES, "Size", "Seed", "px", "Params", "MACs", "Val {metric} %", SCORE, "Weights",
    "Train FLOPs", "Step ms", "Time",
)  # fmt: skip
TEXT_HEADS = ("Run", "Status", SERIES, "Size", "Weights")
NETWORK = "model.arch"  # a key that holds a whole network, which its name stands for


@dataclass(frozen=True)
class RunTable:
    """Heads with their columns' classes, lines of cells, the keys that differ, the head of the scores."""

    heads: list[tuple[str, str]]
    lines: list[list[html.Cell]]
    keys: list[str]
    score: str


def run_table(study: Study) -> RunTable:
    """A line a run: series by name, sizes of each by multiply-adds."""
    keys = differing(study.rows)
    settings = by_object(lambda section: flatten(plain(section)))
    cells = {row.id: [_setting(row, key, settings) for key in keys] for row in study.rows}
    words = {key for i, key in enumerate(keys) if any(found[i].kind == "text" for found in cells.values())}
    named = [head.format(metric=metric_of(study.rows).title) for head in HEADS]
    lines = [
        _line(name, row) + cells[row.id]
        for name, found in study.series.items()
        for row in by_size(found.rows)
    ]
    return RunTable(
        html.heads([*named, *keys], {*TEXT_HEADS, *words}), lines, keys, named[HEADS.index(SCORE)]
    )


def by_size(rows: Sequence[Row]) -> list[Row]:
    """Smaller networks first, then by seed."""
    return sorted(rows, key=lambda row: (row.macs, row.seed))


def differing(rows: Sequence[Row]) -> list[str]:
    """The keys of the config in which runs differ, besides the seed, which is told of every run."""
    keys = [NETWORK if key.startswith(f"{NETWORK}.") else key for key in swept(rows)[1] if key != "seed"]
    return list(dict.fromkeys(keys)) + ["task"] * (len({row.spec.task for row in rows}) > 1)


def _setting(row: Row, key: str, settings: Any) -> html.Cell:
    """A value of a run's config as a cell."""
    section, _, name = key.partition(".")
    if key == NETWORK:
        return _value(row.spec.model.arch and row.spec.model.arch.name)
    return _value(settings(getattr(row.spec, section)).get(name) if name else getattr(row.spec, section))


def _value(value: Any) -> html.Cell:
    if value is None or value in ("", [], {}):
        return html.number_cell(None, MISSING)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return html.number_cell(value, f"{value:.8g}" if isinstance(value, float) else str(value))
    return html.text_cell(value if isinstance(value, str) else json.dumps(value))


def _line(name: str, row: Row) -> list[html.Cell]:
    return [
        html.text_cell(row.id, code=True),
        html.status_cell(row.status),
        html.text_cell(name),
        html.text_cell(size_label(row)),
        html.number_cell(row.seed, str(row.seed)),
        html.number_cell(row.resolution, str(row.resolution or MISSING)),
        html.number_cell(row.params, si(row.params)),
        html.number_cell(row.macs, si(row.macs)),
        _percent_cell(validation(row)),
        _percent_cell(score_of(row)),
        html.text_cell(weights_of(row) or MISSING),
        html.number_cell(row.train_flops, si(row.train_flops)),
        html.number_cell(row.step_ms, number(row.step_ms)),
        html.number_cell(row.seconds, duration(row.seconds)),
    ]


def _percent_cell(fraction: float | None) -> html.Cell:
    return html.number_cell(None if fraction is None else round(100 * fraction, 4), percent(fraction))
