"""The leaderboard and all evaluations, as Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from scaling.reports.units import MISSING, duration, number, si
from search.reports.leaderboard import Counts, Entry, count, leaderboard
from search.reports.source import FinishedSearch, timed
from search.runs.history import Record
from search.runs.workdir import BOARD_CSV

PIPE = r"\|"  # in a cell of a Markdown table
SHOWN = 20  # networks in Markdown and on the page
ENDS = ("status", "cost", "asked", "first seen")  # the last columns of the leaderboard
ALWAYS = ("index", "name", "network", "point", "cached", "status", "fidelity", "seed", "cost", "message")


def summary(counts: Counts) -> str:
    """The counts in a sentence."""
    parts = [f"{counts.evaluations:,} evaluations of {counts.networks:,} distinct networks"]
    parts += [f"{counts.cached:,} answered from the cache"] if counts.cached else []
    parts += [f"{counts.refused:,} over a limit"] if counts.refused else []
    parts += [f"{n:,} {status}" for status, n in counts.failures.items()]
    spent = "" if counts.seconds is None else f"; {duration(counts.seconds)} of evaluation in all"
    return f"{', '.join(parts)}{spent}."


def to_markdown(searches: Sequence[FinishedSearch], title: str) -> str:
    """The counts and the best networks as Markdown."""
    entries, names = leaderboard(searches), metric_names(searches)
    several = len({search.label for search in searches}) > 1
    heads = [*heads_of(searches), *names, *ENDS, *(["found by"] if several else [])]
    lines = [f"# {title}", "", summary(count(searches)), "", f"| {' | '.join(heads)} |"]
    lines.append("|" + "|".join([" ---: "] + [" --- "] + [" ---: "] * (len(heads) - 2)) + "|")
    for rank, entry in enumerate(entries[:SHOWN], start=1):
        record = entry.record
        name = record.name.replace("|", PIPE)
        cells = [rank_of(rank, entry), f"`{name}`", *map(reward_text, record.rewards)]
        cells += [metric_text(record.metrics.get(name)) for name in names]
        cells += [record.status, cost_text(searches, entry.cost), str(entry.asked), str(entry.first)]
        lines.append(f"| {' | '.join([*cells, *([', '.join(entry.found_by)] if several else [])])} |")
    return "\n".join([*lines, "", note(searches, entries), ""])


def to_csv(searches: Sequence[FinishedSearch]) -> str:
    """Every network with a reward, the best first."""
    entries, names = leaderboard(searches), metric_names(searches)
    heads = ["rank", "front", "name", "network", *reward_names(searches), *names]
    lines = [
        [rank, e.front, e.record.name, e.record.network, *e.record.rewards, *_metrics(e.record, names)]
        + [e.record.status, e.cost, e.asked, e.first, "; ".join(e.found_by)]
        for rank, e in enumerate(entries, start=1)
    ]
    return _csv([[*heads, "status", "cost", "asked", "first_seen", "found_by"], *lines])


def history_csv(searches: Sequence[FinishedSearch]) -> str:
    """Every record of every search, flat."""
    names = metric_names(searches)
    always = (*ALWAYS, "rung") if any(search.halved for search in searches) else ALWAYS
    lines = [
        [search.label, str(search.config.get("seed", "")), *(_flat(record, name) for name in always)]
        + [*record.rewards, *_metrics(record, names)]
        for search in searches
        for record in search.records
    ]
    return _csv([["search", "search_seed", *always, *reward_names(searches), *names], *lines])


def metric_names(searches: Sequence[FinishedSearch]) -> list[str]:
    """Every metric that a record has, in order of appearance."""
    return list(dict.fromkeys(name for s in searches for record in s.records for name in record.metrics))


def reward_names(searches: Sequence[FinishedSearch]) -> list[str]:
    """ "reward", or "reward 1" and so on where there are several objectives."""
    number_ = searches[0].objectives
    return ["reward"] if number_ == 1 else [f"reward {i + 1}" for i in range(number_)]


def heads_of(searches: Sequence[FinishedSearch]) -> list[str]:
    """The headings before the metrics."""
    return ["rank" if searches[0].objectives == 1 else "front", "network", *reward_names(searches)]


def rank_of(rank: int, entry: Entry) -> str:
    """The place among all, or the front with several objectives (1 is the Pareto front)."""
    return str(rank if len(entry.record.rewards) == 1 else entry.front + 1)


def reward_text(reward: float | None) -> str:
    """A reward of five digits; a dash for none."""
    return MISSING if reward is None else number(reward, 5)


def metric_text(value: float | None) -> str:
    """A metric in four digits, a large one with a prefix."""
    return number(value, 4) if value is None or abs(value) < 1e4 else si(value)


def cost_text(searches: Sequence[FinishedSearch], cost: float) -> str:
    """A cost in words, or as a number where it is not in seconds."""
    return duration(cost) if timed(searches) else number(cost, 4)


def note(searches: Sequence[FinishedSearch], entries: Sequence[Entry]) -> str:
    """What a table of the first entries leaves out, and what its columns mean."""
    if not entries:
        return "No network has a finite reward: all failed, or broke a constraint."
    words = [
        "Cost is of all evaluations of a network, asked for so often, first at the index first seen (from 0)."
    ]
    if len(entries) > SHOWN:
        words.append(f"{len(entries) - SHOWN:,} more networks have a reward ({BOARD_CSV} has them).")
    if without := len({r.network for s in searches for r in s.contenders}) - len(entries):
        words.append(f"{without:,} networks have none: they failed, or broke a constraint.")
    if any(search.halved for search in searches):
        words.append("Of halving searches only the networks trained longest compare, and are here.")
    return " ".join(words)


def _metrics(record: Record, names: Sequence[str]) -> list[float | None]:
    return [record.metrics.get(name) for name in names]


def _flat(record: Record, name: str) -> object:
    value = getattr(record, name)
    return "-".join(map(str, value)) if name == "point" else value


def _csv(lines: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()
