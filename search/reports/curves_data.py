"""What the page's script draws: curves, evaluations as dots, random search's expectation."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from scaling.reports.figure import colour
from search.reports import regret
from search.reports.baseline import Baseline
from search.reports.picture import DOTS
from search.reports.regret import Curve
from search.reports.source import FinishedSearch, by_label, timed
from search.reports.tables import cost_text

NAMES = {"evaluations": "Evaluations", "seconds": "Cost"}


def curves_data(searches: Sequence[FinishedSearch], baseline: Baseline) -> dict[str, Any]:
    """Everything that is drawn, as JSON."""
    costs = timed(searches) and any(record.cost > 0 for search in searches for record in search.records)
    axes = ["evaluations", *(["seconds"] if costs else [])]
    what = regret.measure(searches)
    groups = by_label(searches)
    curves = {
        axis: {k: regret.curve(group, axis, what[1]) for k, group in groups.items()} if what else {}
        for axis in axes
    }
    found = {axis: [made for made in named.values() if made is not None] for axis, named in curves.items()}
    expected = {axis: made for axis in axes if (made := baseline.on(axis)) is not None}
    return {
        "axes": {axis: regret.AXES[axis] for axis in axes},
        "names": {axis: NAMES[axis] for axis in axes},
        "measure": what[0] if what else "",
        "optimum": baseline.optimum,
        "ranges": {axis: regret.shown_range(made) for axis, made in found.items() if made},
        "series": [
            {
                "name": escape(label),
                "colour": colour(i),
                "searches": len(group),
                "curves": {axis: _curve(curves[axis].get(label)) for axis in axes},
                "dots": _dots(group) if searches[0].objectives == 1 else None,
            }
            for i, (label, group) in enumerate(groups.items())
        ],
        "expected": expected
        and {
            "name": baseline.label,
            "curves": {axis: _curve(made) for axis, made in expected.items()},
        },
    }


def _curve(made: Curve | None) -> dict[str, Any] | None:
    if made is None:
        return None
    low, high = made.mean - made.deviation, made.mean + made.deviation
    return {"x": _rounded(made.x), "mean": _rounded(made.mean), "low": _rounded(low), "high": _rounded(high)}


def _dots(searches: Sequence[FinishedSearch]) -> dict[str, list]:
    """Every evaluation with a finite reward, or every second and so on where they are many."""
    records = [record for search in searches for record in search.contenders]
    spent = {
        axis: np.concatenate([regret.spent(s, axis)[[r.index for r in s.contenders]] for s in searches])
        for axis in regret.AXES
    }
    kept = [i for i, record in enumerate(records) if np.isfinite(record.reward)]
    kept = kept[:: 1 + len(kept) // DOTS]
    text = [
        f"<b>{escape(records[i].name)}</b><br>reward {records[i].reward:.5g}, index {records[i].index}, "
        f"{'cached' if records[i].cached else cost_text(searches, records[i].cost)}"
        for i in kept
    ]
    made: dict[str, list] = {axis: _rounded(x[kept]) for axis, x in spent.items()}
    return made | {"y": _rounded([records[i].reward for i in kept]), "text": text}


def _rounded(values: Any) -> list[float]:
    return [float(f"{value:.7g}") for value in values]
