"""The best distinct networks of searches, and how much was evaluated to find them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from scaling.laws import pareto
from scaling.runs.rows import OK
from search.reports.source import FinishedSearch, statuses, timed
from search.runs.history import Record


@dataclass(frozen=True)
class Entry:
    """One network: its first record with a reward, how often it was asked for, what it cost, who found it.

    `first` is the index at which a search first saw it. `front` is 0 on the Pareto front, 1 on the one that
    is left without it, and so on; with one objective it says how many better rewards there are.
    """

    record: Record
    front: int
    asked: int
    first: int
    cost: float
    found_by: tuple[str, ...]


@dataclass(frozen=True)
class Counts:
    """What searches did: `refused` evaluations went well, but broke a constraint; `seconds` of one device.

    None where costs are not seconds.
    """

    evaluations: int
    networks: int
    cached: int
    refused: int
    failures: dict[str, int]
    seconds: float | None


def leaderboard(searches: Sequence[FinishedSearch], most: int | None = None) -> list[Entry]:
    """The best networks, each once, the best first: by front, then by reward, then as they were found.

    Networks without a finite reward are left out.
    """
    found: dict[str, list[tuple[str, Record]]] = {}
    for search in searches:
        for record in search.contenders:
            found.setdefault(record.network, []).append((search.label, record))
    best = {network: _best(records) for network, records in found.items()}
    scored = {network: record for network, record in best.items() if None not in record.rewards}
    if not scored:
        return []
    fronts = pareto.fronts(np.array([record.rewards for record in scored.values()], float))
    entries = [
        Entry(
            record,
            int(front),
            len(found[network]),
            min(r.index for _, r in found[network]),
            sum(r.cost for _, r in found[network]),
            tuple(dict.fromkeys(label for label, _ in found[network])),
        )
        for (network, record), front in zip(scored.items(), fronts)
    ]
    entries.sort(key=lambda entry: (entry.front, *(-(reward or 0.0) for reward in entry.record.rewards)))
    return entries[:most]


def count(searches: Sequence[FinishedSearch]) -> Counts:
    """What the searches did, all together."""
    records = [record for search in searches for record in search.records]
    return Counts(
        evaluations=len(records),
        networks=len({record.network for record in records}),
        cached=sum(record.cached for record in records),
        refused=sum(r.status == OK and not r.cached and None in r.rewards for r in records),
        failures={status: n for status, n in sorted(statuses(records).items()) if status != OK},
        seconds=sum(record.cost for record in records) if timed(searches) else None,
    )


def _best(found: Iterable[tuple[str, Record]]) -> Record:
    """The first of the records with a finite reward, as the search itself chooses; else the first."""
    records = [record for _, record in found]
    return next((record for record in records if None not in record.rewards), records[0])
