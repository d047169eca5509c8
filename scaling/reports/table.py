"""Rows as `rows.csv`, every field of every run, and as `table.md`, one line for each network."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Sequence
from typing import Any

from scaling.border.typed import flatten
from scaling.laws.pareto import front
from scaling.laws.power import Law
from scaling.reports.curve import (
    AXES,
    Group,
    accuracy,
    drawn,
    group,
    network,
    series,
    size_label,
    validation,
)
from scaling.reports.units import MISSING, duration, number, percent, si
from scaling.runs.rows import Row

# Longer texts than this, such as a serialised architecture, are one cell like any other.
csv.field_size_limit(1 << 27)

NO_LAW = "no power law: it takes two sizes or more, over which the error falls"

HEADINGS = (
    "network", "size", "depth ×", "width ×", "resolution (px)", "params", "MACs / image", "train FLOPs",
    "step (ms)", "time / run", "val top-1 (%)", "test top-1 (%)", "runs",
)  # fmt: skip


def to_csv(rows: Sequence[Row]) -> str:
    """All fields of all rows, nested ones with dotted names; `from_csv` reads the same rows back.

    A text is written as it is, everything else as JSON, None as an empty cell.
    """
    flat = [flatten(vars(row)) for row in rows]
    columns = list(dict.fromkeys(key for row in flat for key in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[key]) if key in row else "-" for key in columns] for row in flat)
    return text.getvalue()


def from_csv(text: str) -> list[Row]:
    """The rows of `to_csv`; ValueError where a line does not make a row."""
    reader = csv.reader(io.StringIO(text, newline=""))
    columns = next(reader, [])
    rows = []
    for line, cells in enumerate(reader, start=2):
        nested: dict[str, Any] = {}
        for column, cell in zip(columns, cells):
            if cell != "-":
                _set(nested, column.split("."), _value(cell))
        try:
            rows.append(Row.from_dict(nested))
        except (ValueError, TypeError) as error:
            raise ValueError(f"line {line} of rows.csv is not a row: {error}") from error
    return rows


def to_markdown(
    rows: Sequence[Row], laws: dict[str, Law | None], title: str, problems: Sequence[str] = ()
) -> str:
    """The study as Markdown: networks by curve and size, laws, runs without a result, bad rows."""
    lines = [f"# {title}", "", *_networks(rows), ""]
    lines += [
        "Accuracies are means over runs (seeds), ± their standard deviation; **bold**: on the Pareto front"
    ]
    lines += ["of test accuracy against MACs. One MAC is two FLOPs; train FLOPs are of one run.", ""]
    if laws:
        lines += ["## Laws", "", *(f"- {name}: {describe(law, 'macs')}" for name, law in laws.items()), ""]
    lost = [row for row in rows if row.status != "ok"]
    if lost:
        lines += [f"## Runs without a result ({len(lost)})", ""]
        lines += [
            f"- `{row.id}` {network(row)} {size_label(row)}, seed {row.seed}: {_why(row)}" for row in lost
        ] + [""]
    if problems:
        lines += [f"## Rows that could not be read ({len(problems)})", "", *(f"- {p}" for p in problems), ""]
    return "\n".join(lines)


def describe(law: Law | None, axis: str) -> str:
    """A law in words: the formula in percent, its intervals, what it rests on."""
    if law is None:
        return NO_LAW
    left, power = formula(law, axis)
    return f"{left}^{power} ({basis(law)})"


def formula(law: Law, axis: str) -> tuple[str, str]:
    """The formula up to its exponent, and the exponent."""
    asymptote = f"{percent(law.e_inf)} % + " if law.saturating else ""
    return (
        f"test error = {asymptote}{percent(law.a)} % × ({AXES[axis].word} / {si(law.x_ref)})",
        f"−{law.b:.2f}",
    )


def basis(law: Law) -> str:
    """The law's intervals, and the number of sizes and runs that it rests on."""
    rests_on = f"{law.sizes} sizes, {law.points} runs"
    if not law.saturating:
        rests_on += "; too few sizes to fit an asymptote, taken as 0"
    if law.intervals is None:
        return f"{rests_on}; no interval: as many parameters as points"
    ranges = [f"exponent {law.intervals['b'][0]:.2f} to {law.intervals['b'][1]:.2f}"]
    for name, word in (("a", "factor"), ("e_inf", "asymptote")):
        if name == "a" or law.saturating:
            low, high = law.intervals[name]
            ranges.insert(0, f"{word} {percent(low)} to {percent(high)} %")
    return f"{law.level:.0%} intervals: {', '.join(ranges)}; {rests_on}"


def _networks(rows: Sequence[Row]) -> list[str]:
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "|".join([" --- "] * 2 + [" ---: "] * 11) + "|"]
    groups = [(name, g) for name, found in series(rows).items() for g in group(found)]
    best = _on_front([g for _, g in groups])
    for name, found in groups:
        lines.append("| " + " | ".join(_network_cells(name, found, found.first.id in best)) + " |")
    return lines


def _on_front(groups: Sequence[Group]) -> set[str]:
    """First run ids of the groups that are best for their MACs on their data set."""
    best: set[str] = set()
    for dataset in {g.first.dataset for g in groups}:
        scored = [g for g in groups if g.first.dataset == dataset and drawn(g.rows)]
        chosen = front([g.first.macs for g in scored], [statistics.fmean(g.scores) for g in scored])
        best |= {scored[i].first.id for i in chosen}
    return best


def _network_cells(name: str, found: Group, on_front: bool) -> list[str]:
    row = found.first
    score = percent(found.mean(accuracy), found.deviation)
    finished = sum(r.status == "ok" for r in found.rows)
    counted = row.params > 0
    return [
        name,
        size_label(row),
        number(row.depth) if counted else MISSING,
        number(row.width) if counted else MISSING,
        str(row.resolution or MISSING),
        si(row.params),
        si(row.macs),
        si(found.mean(lambda r: r.train_flops)),
        number(found.mean(lambda r: r.step_ms)),
        duration(found.mean(lambda r: r.seconds)),
        percent(found.mean(validation)),
        f"**{score}**" if on_front else score,
        str(finished) if finished == len(found.rows) else f"{finished} of {len(found.rows)}",
    ]


def _why(row: Row) -> str:
    """Status, and the first line of the message."""
    return f"{row.status}. {row.message.splitlines()[0]}" if row.message else row.status


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and not _is_json(value) and value not in ("", "-"):
        return value
    return json.dumps(value)


def _value(cell: str) -> Any:
    if cell == "":
        return None
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _set(nested: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        nested = nested.setdefault(name, {})
    nested[path[-1]] = value
