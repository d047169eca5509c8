"""The laws of a study in Markdown: their hold-out test, series at equal cost, which network for a budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scaling.laws.choose import Candidate, choose
from scaling.laws.compare import Interval, at_budget, shared_budgets
from scaling.laws.holdout import Prediction, hold_out
from scaling.laws.power import LEVEL, Law, NoLaw
from scaling.reports.curve import AXES, BY_LENGTH, Group, fit_law, group, law_points
from scaling.reports.labels import size_label
from scaling.reports.markdown import table_line
from scaling.reports.study import Study
from scaling.reports.table import describe
from scaling.reports.units import MISSING, percent, si
from scaling.runs.rows import Row


@dataclass(frozen=True)
class Curve:
    """The scored runs of one law; `one_network` where only the length of training differs between them."""

    name: str
    points: tuple[Group, ...]
    one_network: bool
    law: Law | NoLaw


def curves(study: Study, axis: str) -> list[Curve]:
    """The series of a study, each with its law along an axis.

    Where a network was trained for several lengths, a series falls apart: along examples or training
    FLOPs into its networks, along every other axis into its lengths, so that one law has one variable.
    """
    made = []
    for name, found in study.along(axis).items():
        for part, runs in _parts(found.drawn, axis).items():
            alone = axis in BY_LENGTH and len({size_label(row) for row in runs}) == 1
            points = group(runs)
            made.append(Curve(f"{name} {part}".rstrip(), tuple(points), alone, fit_law(points, axis)))
    return made


def to_markdown(
    found: Sequence[Curve], axis: str, largest: int, budgets: Sequence[float] = (), extrapolate: bool = False
) -> str:
    """All tables, `largest` sizes held out; without budgets, three over the range that most laws share."""
    laws = {curve.name: curve.law for curve in found if isinstance(curve.law, Law)}
    chosen = list(budgets) or shared_budgets(list(laws.values()))
    word = AXES[axis].word
    parts = [
        f"## Laws along {word}",
        *(f"- {curve.name}: {describe(curve.law, axis)}" for curve in found),
        "",
        f"## Held-out extrapolation: {largest} largest size{'s' if largest > 1 else ''} predicted from the rest",
        *_held_out(found, axis, largest),
        "",
        f"## Series at equal {word}",
        *_compared(laws, axis, chosen, extrapolate),
        "",
        f"## Which network for a budget in {word}",
        *_chosen(found, axis, chosen, extrapolate),
    ]
    return "\n".join("\n" + line + "\n" if line.startswith("## ") else line for line in parts).strip() + "\n"


def candidates(found: Sequence[Curve], axis: str, budget: float, extrapolate: bool) -> list[Candidate]:
    """The networks that a budget pays for and a law predicts.

    A network with a law of its own along the axis stands at the budget (within its own runs, unless told
    to extrapolate); any other stands at its cost.
    """
    able = []
    for curve in found:
        if isinstance(curve.law, NoLaw):
            continue
        if not curve.one_network:
            costs = [(same, _cost(same, axis)) for same in curve.points]
            able += [
                Candidate(f"{curve.name} {size_label(same.first)}", curve.law, cost)
                for same, cost in costs
                if cost and cost <= budget * (1 + 1e-9)
            ]
        elif extrapolate or curve.law.covers(budget):
            able.append(Candidate(curve.name, curve.law, budget))
    return able


def _parts(rows: Sequence[Row], axis: str) -> dict[str, list[Row]]:
    """The runs of a series by law: one a network if any was trained for several lengths, else one for all.

    Only axes that count the length of training are split.
    """
    parts: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row.macs, row.examples_seen)):
        parts.setdefault(size_label(row), []).append(row)
    several = any(len({row.examples_seen for row in found}) > 1 for found in parts.values())
    return parts if several and axis in BY_LENGTH else {"": list(rows)} if rows else {}


def _cost(same: Group, axis: str) -> float | None:
    return same.mean(AXES[axis].value)


def _held_out(found: Sequence[Curve], axis: str, largest: int) -> list[str]:
    word = AXES[axis].word
    lines, lost = [], []
    for curve in found:
        points = law_points(curve.points, axis)
        sizes = len(set(points[0]))
        if sizes < largest + 2:
            lost.append(
                f"- {curve.name}: not tested, {sizes} size{'s' * (sizes != 1)} and {largest + 2} needed."
            )
            continue
        law, predictions = hold_out(*points, largest=largest)
        if isinstance(law, NoLaw):
            lost.append(f"- {curve.name}: not tested, its smaller sizes have no law: {law.why}.")
        lines += [_prediction_cells(curve.name, sizes - largest, p) for p in predictions]
    heads = ["series", "fitted sizes", word, "runs", "predicted error (%)", f"{LEVEL:.0%} interval"]
    table = _table([*heads, "observed (%)", "miss (points)", "held"], lines, left=1) if lines else []
    return table + [""] * bool(table and lost) + lost


def _prediction_cells(name: str, fitted: int, p: Prediction) -> list[str]:
    middle = [percent(p.predicted), _range(p.interval), percent(p.observed), f"{100 * p.miss:+.2f}"]
    return [name, str(fitted), si(p.x), str(p.runs), *middle, "yes" if p.held else "no"]


def _compared(laws: dict[str, Law], axis: str, budgets: Sequence[float], extrapolate: bool) -> list[str]:
    if not budgets:
        return ["No two series have a law and a budget in common: name one with --budget and --extrapolate."]
    lines = []
    for budget in budgets:
        entries = at_budget(laws, budget, extrapolate)
        for e in entries:
            name = e.name + (" (extrapolated)" if e.estimate.extrapolated else "")
            cells = [si(budget), name, percent(e.estimate.error), _range(e.estimate.interval)]
            if e.behind is None:
                lines.append([*cells, MISSING, MISSING, MISSING])
            else:
                behind = [f"{100 * e.behind.error:+.2f}", _range(e.behind.interval)]
                lines.append([*cells, *behind, percent(1 - e.behind.sure, digits=0)])
        if not entries:
            lines.append([si(budget), "no series covers it", *[MISSING] * 5])
    heads = [AXES[axis].word, "series", "predicted error (%)", f"{LEVEL:.0%} interval"]
    heads += ["behind the best (points)", f"{LEVEL:.0%} interval", "the best is better (% of resamples)"]
    return _table(heads, lines, left=2)


def _chosen(found: Sequence[Curve], axis: str, budgets: Sequence[float], extrapolate: bool) -> list[str]:
    lines = []
    for budget in budgets:
        able = candidates(found, axis, budget, extrapolate)
        if not able:
            lines.append([si(budget), "no network that was run", *[MISSING] * 4])
            continue
        choice = choose(able)
        others = ", ".join(c.label for c in choice.among if c is not choice.best) or "none"
        cells = [si(budget), choice.best.label, percent(choice.error), _range(choice.interval)]
        lines.append([*cells, percent(choice.share, digits=0), others])
    heads = [AXES[axis].word, "network", "predicted error (%)", f"{LEVEL:.0%} interval"]
    return _table([*heads, "is the best (% of resamples)", f"others within {LEVEL:.0%}"], lines, left=2)


def _range(bounds: Interval) -> str:
    return f"{percent(bounds[0])} to {percent(bounds[1])}"


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]], left: int) -> list[str]:
    """A Markdown table, its first `left` columns flush left."""
    rule = [" --- " if i < left else " ---: " for i in range(len(heads))]
    body = [table_line(cells) for cells in (heads, *lines)]
    return [body[0], "|" + "|".join(rule) + "|", *body[1:]]
