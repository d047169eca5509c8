"""Several searches against each other: what their best networks reach, retrained, and whether they differ."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scaling.reports.curve import Group, drawn, group, validation
from search.reports.difference import Difference, verdict, welch
from search.reports.regret import best_reward
from search.reports.source import RANDOM, FinishedSearch, by_label

TEST, REWARD = "test top-1 (%) of the best network, retrained", "best reward"


@dataclass(frozen=True)
class Sample:
    """The scores of one kind of search; `unit` says what each is the score of."""

    label: str
    scores: tuple[float, ...]
    unit: str

    @property
    def mean(self) -> float:
        return statistics.fmean(self.scores)

    @property
    def deviation(self) -> float | None:
        """The standard deviation; None for one score."""
        return statistics.stdev(self.scores) if len(self.scores) > 1 else None


@dataclass(frozen=True)
class Comparison:
    """Samples of one measure, the reference first, and each other one's difference from the reference."""

    what: str
    samples: tuple[Sample, ...]
    differences: tuple[Difference, ...]
    scale: float
    remark: str

    @property
    def verdicts(self) -> list[str]:
        """The differences in plain words, followed by what they can be said of."""
        reference, *others = self.samples
        unit = " points" if self.what == TEST else ""
        return [
            verdict((sample.label, reference.label), difference, self.scale, unit)
            for sample, difference in zip(others, self.differences)
        ]


def compare(searches: Sequence[FinishedSearch]) -> list[Comparison]:
    """Compare by retrained test accuracy and by best reward, where there are two samples or more.

    With at least two searches of each kind a score is a search's, the mean of its retrained runs;
    otherwise it is a run's, and only networks are compared.
    """
    made = [_retrained(searches), _rewards(searches)]
    return [comparison for comparison in made if comparison is not None]


def retrained(search: FinishedSearch) -> Group | None:
    """The retrained runs, by seed, of the network that validates best; None where no run has a score."""
    groups = group(drawn(search.finals))
    return max(groups, key=lambda found: found.mean(validation) or 0.0, default=None)


def _retrained(searches: Sequence[FinishedSearch]) -> Comparison | None:
    scores = {s.directory: found.scores for s in searches if (found := retrained(s)) is not None}
    kinds = by_label(search for search in searches if search.directory in scores)
    if len(kinds) < 2:
        return None
    repeated = all(len(kind) > 1 for kind in kinds.values())
    samples = []
    for label, kind in kinds.items():
        if repeated:
            values = [statistics.fmean(scores[search.directory]) for search in kind]
        else:
            values = [score for search in kind for score in scores[search.directory]]
        samples.append(Sample(label, tuple(values), "search" if repeated else "run"))
    remark = (
        "A score is a search's: the mean of its network's runs."
        if repeated
        else "A score is one run's: the interval speaks of these networks; whether the strategies differ takes "
        "several searches of each."
    )
    return _comparison(TEST, samples, 100.0, remark)


def _rewards(searches: Sequence[FinishedSearch]) -> Comparison | None:
    """The best rewards, where every kind of search has a finite one and one kind is repeated."""
    if searches[0].objectives > 1:
        return None
    found = {s.directory: float(best_reward(s)[-1]) for s in searches}
    kinds = by_label(search for search in searches if found[search.directory] > -float("inf"))
    if len(kinds) < 2 or max(map(len, kinds.values())) < 2:
        return None
    samples = [Sample(k, tuple(found[s.directory] for s in kind), "search") for k, kind in kinds.items()]
    lengths = {len(search.records) for search in searches}
    budgets = "" if len(lengths) == 1 else f" Budgets differ: {min(lengths)} to {max(lengths)} evaluations."
    return _comparison(
        REWARD, samples, 1.0, f"A score is a search's; rewards are of validation, and choose.{budgets}"
    )


def _comparison(what: str, samples: list[Sample], scale: float, remark: str) -> Comparison:
    """Put random search first: what others are measured against."""
    reference, *others = sorted(samples, key=lambda sample: sample.label.split()[0] not in RANDOM)
    differences = tuple(welch(sample.scores, reference.scores) for sample in others)
    return Comparison(what, (reference, *others), differences, scale, remark)
