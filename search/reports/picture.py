"""The anytime curve as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scaling.reports.figure import GRID, INK, MUTED, colour, dress
from scaling.reports.markdown import verbatim
from search.reports import regret
from search.reports.baseline import Baseline
from search.reports.regret import Curve
from search.reports.source import FinishedSearch, by_label, timed

EXPECTED = {"color": MUTED, "linestyle": (0, (5, 2)), "linewidth": 1.6}
DOTS = 4000  # evaluations in a panel, at most


def save_anytime(searches: Sequence[FinishedSearch], title: str, path: Path, baseline: Baseline) -> None:
    """Draw what was best after so many evaluations and, beside it, the regret or the best against cost."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    best = baseline.optimum
    costs = timed(searches) and any(record.cost > 0 for search in searches for record in search.records)
    panels = [("evaluations", None), *([("evaluations", best)] if best is not None else [])]
    panels += [("seconds", None)] if costs and len(panels) == 1 else []
    figure = Figure(figsize=(1.2 + 6.4 * len(panels), 5.0), dpi=150, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    for i, (axis, target) in enumerate(panels):
        axes: Any = figure.add_subplot(1, len(panels), 1 + i)
        _panel(axes, searches, axis, target, baseline, title if i == 0 else "")
    figure.savefig(path)


def _panel(
    axes: Any,
    searches: Sequence[FinishedSearch],
    axis: str,
    target: float | None,
    baseline: Baseline,
    title: str,
) -> None:
    what = regret.measure(searches)
    word = what[0] if what else ""
    dress(axes, title, _subtitle(searches) if title else "", regret.AXES[axis], _label(word, target))
    drawn = []
    for i, (label, group) in enumerate(by_label(searches).items()):
        made = regret.curve(group, axis, what[1]) if what else None
        if made is not None:
            _draw(axes, made, target, label, color=colour(i), linewidth=2.0)
            drawn.append(made)
        if what and target is None and searches[0].objectives == 1:
            _dots(axes, group, axis, colour(i))
    if drawn and (expected := baseline.on(axis)) is not None:
        _draw(axes, expected, target, baseline.label, **EXPECTED)
    if not drawn:
        why = "no finite reward yet" if what else f"no curve for {searches[0].objectives} objectives"
        axes.text(0.5, 0.5, why, ha="center", va="center", transform=axes.transAxes, color=MUTED)
        return
    if target is None:
        axes.set_ylim(*regret.shown_range(drawn))
    else:
        axes.set_yscale("log")
    axes.legend(
        loc="upper right" if target is not None else "lower right", frameon=False, fontsize=10, labelcolor=INK
    )


def _label(word: str, target: float | None) -> str:
    return word if target is None else "Regret: optimum minus best so far"


def _subtitle(searches: Sequence[FinishedSearch]) -> str:
    groups = by_label(searches)
    parts = [f"{len(searches)} searches" if len(searches) > 1 else "1 search"]
    if any(len(group) > 1 for group in groups.values()):
        parts.append("mean and one standard deviation over seeds")
    if searches[0].objectives == 1:
        parts.append("dots are evaluations")
    return " · ".join(parts)


def _draw(axes: Any, made: Curve, target: float | None, label: str, **style: Any) -> None:
    low, high = made.mean - made.deviation, made.mean + made.deviation
    middle = made.mean
    if target is not None:
        floor = 1e-12  # of a regret; a log axis cannot show that the optimum was found
        low, middle, high = (np.maximum(target - v, floor) for v in (high, middle, low))
        shown = middle > floor
        if not shown.any():
            return
        low = np.maximum(low, middle[shown].min() / 10)
        middle = np.where(shown, middle, np.nan)
    step = "default" if style.get("linestyle") else "steps-post"
    axes.plot(made.x, middle, label=verbatim(label), drawstyle=step, **style)
    if made.deviation.any() and made.searches > 1:
        axes.fill_between(
            made.x, low, high, step="post", color=style["color"], alpha=0.14, linewidth=0, zorder=1
        )
    elif made.deviation.any():
        axes.fill_between(made.x, low, high, color=GRID, alpha=0.6, linewidth=0, zorder=0)


def _dots(axes: Any, searches: Sequence[FinishedSearch], axis: str, colour_: str) -> None:
    x = np.concatenate([regret.spent(s, axis)[[r.index for r in s.contenders]] for s in searches])
    y = np.array([record.reward for search in searches for record in search.contenders])
    keep = np.flatnonzero(np.isfinite(y))[:: 1 + len(y) // DOTS]
    axes.scatter(x[keep], y[keep], s=9, color=colour_, alpha=0.35, linewidths=0)
