"""A study as `table.md`: one line for each network, the laws, what has no result or could not be read."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from scaling.laws.pareto import front
from scaling.laws.power import LEVEL, Law, NoLaw
from scaling.reports import estimates
from scaling.reports.curve import (
    AXES,
    Group,
    drawn,
    interval_of,
    measure_of,
    metric_of,
    score_of,
    validation,
    weights_of,
)
from scaling.reports.labels import network, size_label
from scaling.reports.markdown import table_line
from scaling.reports.study import Study
from scaling.reports.units import MISSING, duration, number, percent, si
from scaling.runs.rows import OK, Row
from scaling.tasks.task import Metric

HEADINGS = (
    "network", "size", "depth ×", "width ×", "resolution (px)", "params", "MACs / image", "train FLOPs",
    "step (ms)", "time / run", "val {metric} (%)", "test {metric} (%)", "weights", "runs",
)  # fmt: skip


def to_markdown(study: Study, title: str) -> str:
    """The study as Markdown: networks by curve and size, laws, runs without a result, bad rows."""
    lines = [f"# {title}", "", *_networks(study), ""]
    metric = metric_of(study.rows)
    lines += [_legend(metric), ""]
    if laws := study.laws("macs"):
        lines += ["## Laws", "", *(f"- {name}: {describe(law, 'macs')}" for name, law in laws.items()), ""]
    if told := estimates.told(study.rows):
        lines += ["## Estimates", "", *told, ""]
    lost = [row for row in study.rows if row.status != OK]
    if lost:
        lines += [f"## Runs without a result ({len(lost)})", ""]
        lines += [
            f"- `{row.id}` {network(row)} {size_label(row)}, seed {row.seed}: {_why(row)}" for row in lost
        ] + [""]
    if problems := study.problems:
        lines += [f"## Rows that could not be read ({len(problems)})", "", *(f"- {p}" for p in problems), ""]
    return "\n".join(lines)


def describe(law: Law | NoLaw, axis: str) -> str:
    """A law in words: the formula in percent, its intervals, what it rests on."""
    if isinstance(law, NoLaw):
        return f"no power law: {law.why}"
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
    ranges = [f"exponent {law.intervals['b'][0]:.2f} to {law.intervals['b'][1]:.2f}"]
    for name, word in (("a", "factor"), ("e_inf", "asymptote")):
        if name == "a" or law.saturating:
            low, high = law.intervals[name]
            ranges.insert(0, f"{word} {percent(low)} to {percent(high)} %")
    return f"{law.level:.0%} intervals: {', '.join(ranges)}; {rests_on}"


def _legend(metric: Metric) -> str:
    alone = (
        f" Of one run: its {LEVEL:.0%} interval by the number of test examples." if metric.of_examples else ""
    )
    return (
        f"Scores are means over runs (seeds), ± their standard deviation.{alone}\n"
        "They are of raw or of averaged weights, whichever validated better. **Bold**: on the Pareto front of\n"
        f"test {metric.word} against MACs. One MAC is two FLOPs; train FLOPs are of one run."
    )


def _interval(found: Group) -> tuple[float, float] | None:
    return next((interval for row in found.rows if (interval := interval_of(row)) is not None), None)


def _networks(study: Study) -> list[str]:
    heads = " | ".join(HEADINGS).format(metric=metric_of(study.rows).title)
    lines = [f"| {heads} |", "|" + "|".join([" --- "] * 2 + [" ---: "] * 10 + [" --- ", " ---: "]) + "|"]
    groups = [(name, same) for name, found in study.series.items() for same in found.groups]
    best = _on_front([g for _, g in groups])
    for name, found in groups:
        lines.append(table_line(_network_cells(name, found, found.first.id in best)))
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
    score = percent(found.mean(score_of), found.deviation)
    if (unit := metric_of([row]).unit) and found.scores:
        score += f" ({found.mean(measure_of):.2f} {unit})"
    if len(found.scores) == 1 and (interval := _interval(found)) is not None:
        score += f" ({percent(interval[0])} to {percent(interval[1])})"
    finished = sum(r.status == OK for r in found.rows)
    counted = row.params > 0
    return [
        name,
        size_label(row),
        number(row.depth_factor) if counted else MISSING,
        number(row.width_factor) if counted else MISSING,
        str(row.resolution or MISSING),
        si(row.params),
        si(row.macs),
        si(found.mean(lambda r: r.train_flops)),
        number(found.mean(lambda r: r.step_ms)),
        duration(found.mean(lambda r: r.seconds)),
        percent(found.mean(validation)),
        f"**{score}**" if on_front else score,
        ", ".join(sorted({weights for row in found.rows if (weights := weights_of(row))})) or MISSING,
        str(finished) if finished == len(found.rows) else f"{finished} of {len(found.rows)}",
    ]


def _why(row: Row) -> str:
    """Status, and the first line of the message."""
    return f"{row.status}. {row.message.splitlines()[0]}" if row.message else row.status
