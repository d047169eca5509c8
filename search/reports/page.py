"""One self-contained `search.html`: the best networks, the way to them, and every evaluation."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from scaling.reports import html
from scaling.reports.units import MISSING, duration, number, percent
from scaling.runs.rows import OK
from search.reports import regret, svg, tables
from search.reports.baseline import Baseline
from search.reports.comparison import TEST, Comparison, Sample, compare
from search.reports.curves_data import curves_data
from search.reports.drawing import draw_network
from search.reports.leaderboard import Counts, Entry, count, leaderboard
from search.reports.source import FinishedSearch, by_label, unlike
from search.runs.history import Record

TEMPLATE = Path(__file__).parent / "web" / "search.html"
MOST_LINES = 5000  # of the table of evaluations: a page with more is slow to open
MOST_MESSAGES = 200
MOST_DRAWINGS = 6
TEXT = ("search", "network", "status", "found by", "cached")


def to_html(searches: Sequence[FinishedSearch], title: str, baseline: Baseline) -> str:
    """The page of some searches, measured against a baseline."""
    entries, counts = leaderboard(searches), count(searches)
    several = len(searches) > 1
    evaluations = [(s.label, r) for s in searches for r in s.records]
    names = tables.metric_names(searches)
    board_heads = [*tables.heads_of(searches), *names, *tables.ENDS]
    heads = ["search"] * several + ["index", "network", *tables.reward_names(searches), *names]
    parts = {
        "counts": tables.summary(counts),
        "board_columns": html.heads([*board_heads, *["found by"] * several], TEXT),
        "board": [
            _board_line(rank, entry, names, searches)
            for rank, entry in enumerate(entries[: tables.SHOWN], start=1)
        ],
        "board_note": tables.note(searches, entries),
        "drawings": _drawings(searches),
        "curve_note": _curve_note(searches, baseline),
        "comparisons": _comparisons(compare(searches)),
        "columns": html.heads([*heads, "cost", "cached", "status"], TEXT),
        "evaluations": [_line(label * several, r, names, searches) for label, r in evaluations[:MOST_LINES]],
        "left_out": _left_out(len(evaluations)),
        **_lost(evaluations),
        "problems": [problem for search in searches for problem in search.problems],
        "reproduce": [_reproduce(search) for search in searches],
    }
    cards = _cards(entries, counts, searches)
    heading = html.Heading(title, _about(searches, counts), _lead(searches))
    return html.document(TEMPLATE, heading, cards, parts, curves_data(searches, baseline))


def _about(searches: Sequence[FinishedSearch], counts: Counts) -> str:
    return f"{', '.join(by_label(searches))} in {_spaces(searches)}, {counts.evaluations:,} evaluations"


def _spaces(searches: Sequence[FinishedSearch]) -> str:
    spaces = sorted({str(s.config.get("space", {}).get("name", "")) for s in searches} - {""})
    return " and ".join(spaces) or "a space"


def _lead(searches: Sequence[FinishedSearch]) -> str:
    fidelities = sorted({r.fidelity for s in searches for r in s.records if r.fidelity})
    words = [f"{', '.join(by_label(searches))} in {_spaces(searches)}"]
    words += [f"each network: {', '.join(fidelities[:3])}"] if fidelities else []
    return "; ".join(words) + "."


def _cards(
    entries: Sequence[Entry], counts: Counts, searches: Sequence[FinishedSearch]
) -> list[tuple[str, str]]:
    cards = [
        (f"{counts.evaluations:,}", f"evaluations in {len(searches)} search{'es' * (len(searches) > 1)}")
    ]
    cards.append((f"{counts.networks:,}", "distinct networks"))
    if entries:
        rewards = ", ".join(map(tables.reward_text, entries[0].record.rewards))
        cards.insert(0, (rewards, f"best reward{'s' * (searches[0].objectives > 1)}"))
    cards.append((f"{sum(counts.failures.values()):,}", "evaluations failed"))
    return [*cards, *([] if counts.seconds is None else [(duration(counts.seconds), "of evaluation in all")])]


def _board_line(
    rank: int, entry: Entry, names: Sequence[str], searches: Sequence[FinishedSearch]
) -> list[html.Cell]:
    record = entry.record
    cells = [html.number_cell(rank, tables.rank_of(rank, entry)), html.text_cell(record.name, code=True)]
    cells += [*_numbers(record, names), html.status_cell(record.status)]
    cells += [
        html.number_cell(entry.cost, tables.cost_text(searches, entry.cost)),
        html.number_cell(entry.asked, str(entry.asked)),
    ]
    cells += [html.number_cell(entry.first, str(entry.first))]
    return cells + [html.text_cell(", ".join(entry.found_by))] * (len(searches) > 1)


def _line(
    label: str, record: Record, names: Sequence[str], searches: Sequence[FinishedSearch]
) -> list[html.Cell]:
    cells = [html.text_cell(label)] if label else []
    cells += [html.number_cell(record.index, str(record.index)), html.text_cell(record.name, code=True)]
    cost = tables.cost_text(searches, record.cost)
    cells += [*_numbers(record, names), html.number_cell(record.cost, cost)]
    return [*cells, html.text_cell("cached" if record.cached else ""), html.status_cell(record.status)]


def _numbers(record: Record, names: Sequence[str]) -> list[html.Cell]:
    cells = [html.number_cell(reward, tables.reward_text(reward)) for reward in record.rewards]
    metrics = (record.metrics.get(name) for name in names)
    return cells + [html.number_cell(value, tables.metric_text(value)) for value in metrics]


def _drawings(searches: Sequence[FinishedSearch]) -> list[dict[str, str]]:
    """The best network of every search, each once."""
    found = {search.arch: search for search in reversed(searches) if search.arch is not None}
    shown = list(islice(reversed(found.items()), MOST_DRAWINGS))
    made = []
    for arch, search in shown:
        name = str(search.genotype.get("string", ""))
        head = f"Best network{f' of {search.label}' if len(shown) > 1 else ''}"
        made.append({"head": head, "name": name, "svg": svg.document(draw_network(arch), name)})
    return made


def _curve_note(searches: Sequence[FinishedSearch], baseline: Baseline) -> str:
    what = regret.measure(searches)
    if what is None:
        return f"There is no curve for {searches[0].objectives} objectives."
    words = ["Dots are evaluations; hover them." if searches[0].objectives == 1 else ""]
    if searches[0].objectives > 1:
        words.append("The hypervolume is over the worst rewards of all searches.")
    if any(len(group) > 1 for group in by_label(searches).values()):
        words.append("Lines are means over seeds, shaded by one standard deviation.")
    if baseline.expected is not None:
        words.append("Dashed: what random search finds on average, by order statistics, and one deviation.")
    if keys := unlike(searches):
        words.append(f"These searches differ in {', '.join(keys[:5])}: their rewards may not compare.")
    return " ".join(filter(None, words))


def _comparisons(comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    made = []
    for comparison in comparisons:
        label = f"{comparison.what}, by search"
        columns = html.heads([label, "mean", "scores"], [label])
        samples = [_sample_line(sample, comparison) for sample in comparison.samples]
        words = {"verdicts": comparison.verdicts, "remark": comparison.remark}
        made.append({"columns": columns, "samples": samples, **words})
    return made


def _sample_line(sample: Sample, comparison: Comparison) -> list[html.Cell]:
    def text(value: float, deviation: float | None = None) -> str:
        if comparison.what == TEST:
            return percent(value, deviation)
        return number(value, 5) + (f" ± {number(deviation, 2)}" if deviation is not None else "")

    scores = ", ".join(text(score) for score in sample.scores[:10]) + ", …" * (len(sample.scores) > 10)
    return [
        html.text_cell(sample.label),
        html.number_cell(sample.mean, text(sample.mean, sample.deviation)),
        html.number_cell(len(sample.scores), scores or MISSING),
    ]


def _left_out(evaluations: int) -> str:
    if evaluations <= MOST_LINES:
        return ""
    return f"The first {MOST_LINES:,} of {evaluations:,} are here; history.csv has all."


def _lost(evaluations: Sequence[tuple[str, Record]]) -> dict[str, Any]:
    """How many evaluations failed, and the messages of the first."""
    lost = [(label, r) for label, r in evaluations if r.status != OK and not r.cached]
    shown = [
        html.Message(r.status, r.name, f"{label}, index {r.index}", r.message)
        for label, r in lost[:MOST_MESSAGES]
    ]
    return {"failed": len(lost), "shown": shown}


def _reproduce(search: FinishedSearch) -> dict[str, str]:
    """The command, and the config that it reads."""
    place = search.directory if not search.directory.is_absolute() else search.directory.name
    config = shlex.quote(f"{place}/config.json")
    return {
        "command": f"python -m experiments.search --config={config} --workdir={shlex.quote(f'{place}-again')}",
        "label": search.label,
        "place": str(place),
        "config": json.dumps(search.config, indent=1) if search.config else "no config.json was found",
    }
