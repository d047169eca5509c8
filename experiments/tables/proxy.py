"""EfficientNet's Table 7 once more at equal multiply-adds, on a small base: the rows of configs/table7.py."""

from __future__ import annotations

import statistics
from pathlib import Path

from experiments.tables import committed
from experiments.tables.entry import MEGA_MACS, Entry, Table
from scaling.laws.ranking import Margin, Ranking, rank
from scaling.reports.curve import Group
from scaling.reports.labels import scaling_kind
from scaling.reports.units import percent
from scaling.runs.rows import Row

STUDY = "table7"
SOURCE = f"experiments/results/{STUDY}"
COMMAND = "python -m experiments.sweep --config=configs/table7.py --workdir=runs/table7 --config.data.dir=DIR"
BASELINE = "baseline"
COMPOUND = "compound"


def table_7(results: Path = committed.RESULTS) -> Table:
    """EfficientNet Table 7 at equal multiply-adds, a small base on photos."""
    title = "EfficientNet Table 7 at equal multiply-adds, at proxy scale"
    found = {label(same): same for same in committed.study(STUDY, results).points}
    if not found:
        return Table(title, (Entry("all", "top-1 (%)", "", None, SOURCE, COMMAND, exact=False),))
    entries = []
    scaled = [name for name in found if name != BASELINE]
    ranked = rank([found[name].scores for name in scaled]) if len(scaled) > 1 else None
    for name, same in found.items():
        macs = same.first.macs / 1e6
        entries.append(Entry(name, MEGA_MACS.column, "", macs, SOURCE, exact=False))
        half = ranked.half_width(scaled.index(name)) if ranked and name != BASELINE else None
        interval = (
            "" if half is None or ranked is None else f"± {percent(half)}, {ranked.level:.0%} t interval; "
        )
        accuracy = 100 * statistics.fmean(same.scores)
        reason = interval + committed.describe(same.rows)
        entries.append(Entry(name, "top-1 (%)", "", accuracy, SOURCE, reason, exact=False))
    if ranked and COMPOUND in scaled:
        entries += _margins(ranked, scaled)
    return Table(title, tuple(entries), _note(found[next(iter(found))].first))


def label(same: Group) -> str:
    """The row as the paper calls it, with the factors that were trained: "depth d=3.25"."""
    row = same.first
    if row.phi == 0:
        return BASELINE
    kind = scaling_kind(row)
    if kind in ("depth", "width", "resolution"):
        return f"{kind} {kind[0]}={_factor(row, kind):.3g}"
    return COMPOUND


def _factor(row: Row, axis: str) -> float:
    """The factor of one axis: 2 to the phi over the axis's power in the multiply-adds."""
    return 2.0 ** ((row.phi or 0.0) / (1 if axis == "depth" else 2))


def _margins(ranked: Ranking, scaled: list[str]) -> list[Entry]:
    """Compound against each single axis, in points, with Tukey's intervals."""
    compound = scaled.index(COMPOUND)
    column = "compound minus it, top-1 (points)"
    return [
        Entry(name, column, "", 100 * margin.value, SOURCE, _interval(margin, ranked.level), exact=False)
        for i, name in enumerate(scaled)
        if i != compound
        for margin in (ranked.margin(compound, i),)
    ]


def _interval(margin: Margin, level: float) -> str:
    if margin.low is None or margin.high is None:
        return "one run each: no interval"
    verdict = "separable" if margin.separable else "not separable"
    return f"{100 * margin.low:+.2f} to {100 * margin.high:+.2f}, Tukey's {level:.0%} interval: {verdict}"


def _note(row: Row) -> str:
    return (
        f"Not the paper's networks and not ImageNet: a small CIFAR ResNet on {row.dataset}, {row.steps} steps "
        f"(configs/table7.py). Compound has the paper's factors, the others its multiply-adds within 1 %."
    )
