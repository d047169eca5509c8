"""The scaling curve as a picture: test scores against MACs, a colour and a law for each family."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scaling.laws.power import Law, NoLaw
from scaling.reports.curve import AXES, Group, interval_of, metric_of, score_of
from scaling.reports.labels import size_label
from scaling.reports.markdown import verbatim
from scaling.reports.study import Series, Study
from scaling.reports.units import si
from scaling.runs.rows import Row

# Distinct in hue and in lightness; legible on white, also for most colour-blind readers.
COLOURS = ("#2563a8", "#d9622b", "#2f8f6b", "#8a4fa3", "#b8860b", "#c2385f", "#4b8fb5", "#6b6f76")
INK, MUTED, GRID = "#1f2430", "#6b7280", "#e6e8ec"
MAX_LABELS = 40
SIZE = "size"  # what labels of points are called
BESIDE = ((7, -12), (7, 6), (-7, -12), (-7, 6))  # where one may lie from its point, in points of text
# From so many runs on, finding the emptiest corner for the legend takes longer than drawing.
MANY_RUNS = 1000
MANY_CURVES = 12  # more are named beside the picture, as a legend would cover it


def colour(i: int) -> str:
    """The colour of the i-th curve."""
    return COLOURS[i % len(COLOURS)]


def save_curve(study: Study, title: str, path: Path) -> None:
    """Draw every finished run, means over seeds with their deviation, single runs with their interval, and
    the laws; write a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    curves = {name: found for name, found in study.series.items() if found.drawn}
    laws = study.laws("macs")
    crowded = len(curves) > MANY_CURVES
    size = (8.4, max(5.2, 0.21 * len(curves))) if crowded else (8.4, 5.2)
    figure = Figure(figsize=size, dpi=160, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes: Any = figure.add_subplot()
    dress(axes, title, _subtitle(study, laws), AXES["macs"].label, f"Test {metric_of(study.rows).word} (%)")
    _scale_x(axes)
    labels = not crowded and sum(len(found.points) for found in curves.values()) <= MAX_LABELS
    for i, (name, found) in enumerate(curves.items()):
        _draw_points(axes, found, colour(i), labels)
        _draw_law(axes, found.drawn, laws[name], colour(i))
    if curves:
        _limit(axes, [row for found in curves.values() for row in found.drawn])
    if crowded:
        _name_beside(axes, curves)
    elif curves:
        axes.legend(
            loc="best" if len(study.rows) < MANY_RUNS else "lower right",
            frameon=False,
            fontsize=10,
            labelcolor=INK,
        )
    else:
        axes.text(
            0.5, 0.5, "no finished run yet", ha="center", va="center", transform=axes.transAxes, color=MUTED
        )
    _keep_apart(figure, [text for text in axes.texts if text.get_gid() == SIZE])
    figure.savefig(path)


def _keep_apart(figure: Any, labels: Sequence[Any]) -> None:
    """Move each label to where it covers none of those before; leave it out where every place is taken."""
    if not labels:
        return
    figure.draw_without_rendering()  # settles the layout, on which places depend
    taken = []
    for label in labels:
        for place in BESIDE:
            label.xyann = place
            label.set_horizontalalignment("left" if place[0] > 0 else "right")
            box = label.get_window_extent()
            if not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
        else:
            label.set_visible(False)


def _subtitle(study: Study, laws: dict[str, Law | NoLaw]) -> str:
    drawn = sum(len(found.drawn) for found in study.series.values())
    parts = [", ".join(sorted({row.dataset for row in study.rows})), f"{drawn} runs"]
    if levels := {law.level for law in laws.values() if isinstance(law, Law)}:
        parts.append(f"fitted power law with its {min(levels):.0%} interval")
    return " · ".join(part for part in parts if part)


def dress(axes: Any, title: str, subtitle: str, x_label: str, y_label: str) -> None:
    """Give axes their titles, labels and grid."""
    axes.set_title(verbatim(title), loc="left", fontsize=13, fontweight="bold", color=INK, pad=24)
    axes.text(0, 1.02, verbatim(subtitle), transform=axes.transAxes, fontsize=9.5, color=MUTED)
    axes.set_xlabel(verbatim(x_label), color=INK, fontsize=11, labelpad=6)
    axes.set_ylabel(verbatim(y_label), color=INK, fontsize=11, labelpad=6)
    axes.grid(True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=MUTED, length=0, labelsize=10)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)


def _scale_x(axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: si(value, round_=True)))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _draw_points(axes: Any, found: Series, colour_: str, labels: bool) -> None:
    groups = found.points
    axes.scatter(
        [row.macs for row in found.drawn],
        [100 * (score_of(row) or 0) for row in found.drawn],
        s=16,
        color=colour_,
        alpha=0.35,
        linewidths=0,
    )
    x = [g.first.macs for g in groups]
    y = [100 * float(np.mean(g.scores)) for g in groups]
    spread = np.transpose([_spread(g) for g in groups]) if groups else []
    style = {"fmt": "o", "color": colour_, "markersize": 7, "markeredgecolor": "white", "capsize": 0}
    axes.errorbar(
        x,
        y,
        yerr=spread if np.any(spread) else None,
        elinewidth=1.4,
        label=verbatim(found.name),
        zorder=3,
        **style,
    )
    for g, x_, y_ in zip(groups if labels else (), x, y):
        text = size_label(g.first)
        axes.annotate(
            text, (x_, y_), BESIDE[0], textcoords="offset points", fontsize=8.5, color=MUTED, gid=SIZE
        )


def _spread(found: Group) -> tuple[float, float]:
    """Points below and above the mean score: the deviation over seeds, or the one run's interval."""
    if found.deviation is not None:
        return 100 * found.deviation, 100 * found.deviation
    score, interval = score_of(found.first), interval_of(found.first)
    return (
        (0.0, 0.0)
        if score is None or interval is None
        else (100 * (score - interval[0]), 100 * (interval[1] - score))
    )


def _name_beside(axes: Any, curves: dict[str, Series]) -> None:
    """Name each curve at the right, in the order of their largest runs' accuracies, with a line to it."""
    ends = {name: max(found.drawn, key=lambda row: row.macs) for name, found in curves.items()}
    names = sorted(ends, key=lambda name: score_of(ends[name]) or 0.0)
    for i, name in enumerate(names):
        row, height = ends[name], (i + 0.5) / len(names)
        axes.annotate(
            f"{name} {100 * (score_of(row) or 0.0):.1f}",
            (row.macs, 100 * (score_of(row) or 0.0)),
            (1.02, height),
            textcoords="axes fraction",
            va="center",
            fontsize=8.5,
            color=INK,
            arrowprops={"arrowstyle": "-", "color": GRID, "linewidth": 0.7, "relpos": (0, 0.5)},
        )


def _draw_law(axes: Any, rows: Sequence[Row], law: Law | NoLaw, colour_: str) -> None:
    if isinstance(law, NoLaw):
        return
    x = law_grid([r.macs for r in rows])
    axes.plot(x, 100 * (1 - law.error(x)), color=colour_, linewidth=1.8, zorder=2)
    low, high = law.band(x)
    axes.fill_between(x, 100 * (1 - high), 100 * (1 - low), color=colour_, alpha=0.12, linewidth=0, zorder=1)


def law_grid(x: Sequence[float], points: int = 80) -> np.ndarray:
    """Where a law is drawn: over its runs and a quarter of an octave beyond."""
    return np.geomspace(min(x) / 1.2, max(x) * 1.2, points)


def _limit(axes: Any, rows: Sequence[Row]) -> None:
    """Show the runs and not the far ends of a wide interval."""
    from matplotlib.ticker import LogLocator

    scores = [100 * (score_of(row) or 0.0) for row in rows]
    room = max(0.15 * (max(scores) - min(scores)), 0.25)
    axes.set_ylim(max(0.0, min(scores) - room), min(100.0 + 0.1 * room, max(scores) + room))
    macs = [row.macs for row in rows]
    axes.set_xlim(min(macs) / 1.35, max(macs) * 1.35)
    if max(macs) < 200 * min(macs):
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
