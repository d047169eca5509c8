"""The coefficient grid as Markdown and CSV: ranking, margins, what halving would have saved and risked.

Validation accuracy ranks; test accuracy is reported beside it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from scaling.laws import halving
from scaling.laws.ranking import Margin, Ranking, rank
from scaling.reports.curve import metric_of, score_of, validation
from scaling.reports.grid import CoefficientGrid, Point, Score
from scaling.reports.markdown import table_line
from scaling.reports.units import MISSING, number, percent, si
from scaling.tasks.task import Metric

HEADINGS = (
    "rank", "alpha, beta, gamma", "MACs / image", "MACs / target", "validation {metric} (%)",
    "at the target's MACs (%)", "test {metric} (%)", "runs",
)  # fmt: skip
COMPARED = ("depth", "width", "resolution", "uniform", "paper")


def scores_of(grid: CoefficientGrid) -> dict[str, Score]:
    """What margins are taken in, by name: validation, corrected to equal MACs, and test."""
    found: dict[str, Score] = {"validation": validation}
    if (corrected := grid.at_target(validation)) is not None:
        found["validation at equal MACs"] = corrected
    if all(point.scores(score_of) for point in grid.points):
        found["test"] = score_of
    return found


def ranking(grid: CoefficientGrid, score: Score = validation) -> Ranking:
    """The grid's points ranked by the mean of their runs."""
    return rank([point.scores(score) for point in grid.points])


def to_markdown(grids: Sequence[CoefficientGrid], title: str, eta: float) -> str:
    """The study in words and tables; the longest runs are the grid, shorter ones halving's rungs.

    `eta` is what halving is judged for: it keeps one point in eta.
    """
    grid = grids[-1]
    found = {name: ranking(grid, score) for name, score in scores_of(grid).items()}
    lines = [f"# {title}: coefficients", "", _basis(grid, found["validation"]), ""]
    lines += [*_table(grid), "", *_finding(grid, found), "", *_margins(grid, found), "", _spread(grid), ""]
    if len(grids) > 1:
        lines += ["## Successive halving", "", *_halving(grids, eta), ""]
    return "\n".join(lines)


def to_csv(grids: Sequence[CoefficientGrid]) -> str:
    """One line a point and length: coefficients, MACs, means and half intervals as fractions."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    scored = ("validation", "validation at equal MACs", "test")
    writer.writerow(
        ["steps", "alpha", "beta", "gamma", "kind", "macs", "runs"]
        + [f"{name}{suffix}" for name in scored for suffix in ("", " half interval")]
    )
    for grid in grids:
        found = {name: ranking(grid, score) for name, score in scores_of(grid).items()}
        for i, point in enumerate(grid.points):
            rule = point.rule
            cells = [grid.steps, rule.depth, rule.width, rule.resolution, point.kind, point.macs]
            cells.append(len(point.rows))
            for name in scored:
                half = found[name].half_width(i) if name in found else None
                cells += [f"{found[name].means[i]:.6f}" if name in found else ""]
                cells += ["" if half is None else f"{half:.6f}"]
            writer.writerow(cells)
    return text.getvalue()


def _basis(grid: CoefficientGrid, ranked: Ranking) -> str:
    runs = sum(len(point.rows) for point in grid.points)
    text = (
        f"{grid.dataset}: {len(grid.points)} points at phi = 1, {runs} runs of {grid.steps} steps. Ranked by "
    )
    text += "validation {0}; test {0} is reported and never chosen by. ".format(_metric(grid).word)
    if ranked.deviation is None:
        return text + "One run a point: no interval, and nothing can be told apart."
    return (
        f"{text}± is the {ranked.level:.0%} t interval of a mean over seeds, from the deviation pooled over all points "
        f"({percent(ranked.deviation)} points between runs, {ranked.freedom} degrees of freedom)."
    )


def _metric(grid: CoefficientGrid) -> Metric:
    return metric_of([row for point in grid.points for row in point.rows])


def _table(grid: CoefficientGrid) -> list[str]:
    named = scores_of(grid)
    found = {name: ranking(grid, score) for name, score in named.items()}
    heads = " | ".join(HEADINGS).format(metric=_metric(grid).title)
    lines = [f"| {heads} |", "|" + " --- |" * len(HEADINGS)]
    for place, i in enumerate(found["validation"].order, start=1):
        point = grid.points[i]
        cells = [str(place), point.label, si(point.macs), number(point.macs / grid.target)]
        for name in ("validation", "validation at equal MACs", "test"):
            has = name in found
            cells.append(percent(found[name].means[i], found[name].half_width(i)) if has else MISSING)
        lines.append(table_line([*cells, len(point.rows)]))
    if grid.base is not None:
        base = grid.base
        cells = ["", "base (phi = 0)", si(base.macs), number(base.macs / grid.target)]
        cells += [percent(_mean(base, validation)), "", percent(_mean(base, score_of)), str(len(base.rows))]
        lines.append(table_line(cells))
    return lines


def _finding(grid: CoefficientGrid, found: dict[str, Ranking]) -> list[str]:
    """What can be told apart, in sentences."""
    ranked = found["validation"]
    winner = ranked.order[0]
    pairs = len(grid.points) * (len(grid.points) - 1) // 2
    lines = [f"Best: {grid.points[winner].label}. {_separable(ranked, winner, grid)}", ""]
    lines += [
        "Pairs of points that can be told apart, of {}: {}.".format(
            pairs, ", ".join(f"{len(one.separable)} by {name}" for name, one in found.items())
        )
    ]
    return lines


def _separable(ranked: Ranking, winner: int, grid: CoefficientGrid) -> str:
    if ranked.deviation is None:
        return "Whether it is better than any other cannot be said from one run a point."
    worse = [grid.points[j].label for i, j in ranked.separable if i == winner]
    if not worse:
        return "It cannot be told apart from any other point."
    others = len(grid.points) - 1 - len(worse)
    rest = f"; not from the other {others}" if others else ""
    return f"It is better than {', '.join(worse)}{rest}."


def _margins(grid: CoefficientGrid, found: dict[str, Ranking]) -> list[str]:
    """The winner against the runner-up, the single axes, uniform and the paper's coefficients."""
    winner, runner_up = found["validation"].order[:2]
    named = [i for kind in COMPARED if (i := grid.named(kind)) not in (None, winner, runner_up)]
    against = {f"runner-up, {grid.points[runner_up].label}": runner_up}
    against |= {grid.points[i].label: i for i in named if i is not None}
    level = found["validation"].level
    lines = [
        f"Margin of the best over others, in points, with Tukey's {level:.0%} intervals (all pairs hold at once):"
    ]
    lines += ["", table_line(["over", *found]), "|" + " --- |" * (1 + len(found))]
    for label, i in against.items():
        cells = [_interval(one.margin(winner, i)) for one in found.values()]
        lines.append(table_line([label, *cells]))
    return lines


def _interval(margin: Margin) -> str:
    if margin.low is None or margin.high is None:
        return f"{100 * margin.value:+.2f}"
    text = f"{100 * margin.value:+.2f} ({100 * margin.low:+.2f} to {100 * margin.high:+.2f})"
    return f"**{text}**" if margin.separable else text


def _spread(grid: CoefficientGrid) -> str:
    """How unequal rounding makes the points, and what the correction for it rests on."""
    shares = [point.macs / grid.target for point in grid.points]
    text = f"Rounding makes the points cost {min(shares):.2f} to {max(shares):.2f} times the target of "
    text += f"{si(grid.target)} MACs. "
    if (b := grid.exponent(validation)) is None:
        return text + "Without runs of the base (phi = 0) accuracies are not corrected for that."
    return (
        f"{text}The corrected column moves each accuracy to the target by the base's own law, error ~ MACs^{-b:.2f}, "
        "taken from the base to the mean of its points."
    )


def _halving(grids: Sequence[CoefficientGrid], eta: float) -> list[str]:
    """For each shorter length: what two rungs save, and the risk they carry if the full grid was trained."""
    full, lines = grids[-1], []
    trained = {point.rule: point for point in full.points}
    for short in grids[:-1]:
        count, keep = len(short.points), halving.kept(len(short.points), eta)
        saved = halving.saving([(count, short.steps), (keep, full.steps)])
        lines.append(
            f"- {short.steps} steps for all {count} points, {full.steps} for the best {keep}: saves {saved:.0%} of the "
            f"full grid's steps. {_risk([(point, trained.get(point.rule)) for point in short.points], keep)}"
        )
    return lines


def _risk(pairs: Sequence[tuple[Point, Point | None]], keep: int) -> str:
    """How the same points rank after short and after full runs."""
    both = [(short, full) for short, full in pairs if full is not None]
    if len(both) < len(pairs):
        return (
            f"Its risk is not known: {len(pairs) - len(both)} of these points have no full run. The same command "
            "without --halving trains them."
        )
    short, full = ([point.scores(validation) for point in side] for side in zip(*both))
    found, winner = halving.risk(short, full, keep), rank(full).order[0]
    interval = "" if found.interval is None else f" ({found.interval[0]:.2f} to {found.interval[1]:.2f})"
    went = "among them" if winner in halving.survivors(short, keep) else "not among them"
    return (
        f"Rank correlation with the full grid {found.correlation:.2f}{interval}; its winner, {both[winner][1].label}, is "
        f"{went}; chance that the winner is dropped {found.dropped:.0%} (bootstrap over seeds, with the observed means "
        "taken as the true ones)."
    )


def _mean(point: Point, score: Score) -> float | None:
    values = point.scores(score)
    return sum(values) / len(values) if values else None
