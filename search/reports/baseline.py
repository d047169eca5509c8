"""What searches are measured against: the optimum of a table, and random search's exact expectation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from search.reports.regret import Curve
from search.reports.source import RANDOM, WITHOUT_REPLACEMENT, FinishedSearch, unlike
from search.runs.assemble import assemble
from search.runs.pinning import TABULAR, at_hand
from search.runs.spec import SearchSpec
from search.runs.workdir import BASELINE
from search.simulation import expectation

MOST_DRAWS = 120  # numbers of draws at which the expectation is computed


@dataclass(frozen=True)
class Baseline:
    """What searches are measured against: the optimum, and what random search finds on average.

    `label` says what the expectation is taken from, `seconds` is what random search spent on an evaluation.
    None and 0 where they are not known.
    """

    optimum: float | None = None
    label: str = ""
    expected: Curve | None = None
    seconds: float = 0.0

    def on(self, axis: str) -> Curve | None:
        """The expectation on an axis of `AXES`; None where it is not known there."""
        if self.expected is None or axis == "evaluations":
            return self.expected
        return replace(self.expected, x=self.seconds * self.expected.x) if self.seconds > 0 else None

    def to_json(self) -> str:
        """Serialise, so that a report can be made again where the table is not at hand."""
        assert self.expected is not None
        curve = {name: getattr(self.expected, name).tolist() for name in ("x", "mean", "deviation")}
        return json.dumps({"optimum": self.optimum, "label": self.label, **curve}, indent=1) + "\n"

    @staticmethod
    def from_json(text: str, seconds: float) -> Baseline:
        """What `to_json` wrote; ValueError where it is something else."""
        try:
            values = json.loads(text)
            curve = [np.array(values[name], float) for name in ("x", "mean", "deviation")]
            return Baseline(values["optimum"], values["label"], Curve(*curve, searches=1), seconds)
        except (KeyError, TypeError) as error:
            raise ValueError(f"it lacks {error}, or is no baseline") from error


def baseline(searches: Sequence[FinishedSearch], table: np.ndarray | None = None) -> Baseline:
    """The baseline of a table of all rewards [size], of one that an earlier report kept, or of random search.

    Searches whose rewards do not compare have none.
    """
    if searches[0].objectives > 1 or unlike(searches):
        return Baseline()
    own = [r for s in searches if s.strategy in RANDOM and not s.halved for r in s.records]
    seconds = float(np.mean([record.cost for record in own])) if own else 0.0
    longest = max(len(search.records) for search in searches)
    if table is not None:
        return _of_table(np.asarray(table, float), searches, longest, seconds)
    if (kept := _kept(searches, seconds)) is not None:
        return kept
    if not own:
        return Baseline()
    made = expected(np.array([record.reward for record in own]), min(longest, len(own)), replacing=False)
    return Baseline(None, f"random, expected from its {len(own):,} records", made, seconds)


def table_rewards(search: FinishedSearch) -> np.ndarray | None:
    """The reward of every point, where the search was of a table that is still at hand; None where not."""
    evaluator = search.config.get("evaluator", {})
    if evaluator.get("name") != TABULAR or search.halved or search.objectives > 1:
        return None
    spec = SearchSpec.from_dict(search.config)
    if not at_hand(spec.evaluator):
        return None
    parts = assemble(spec, search.directory)
    points = list(parts.space.points())
    found = [evaluation.metrics for evaluation in parts.evaluator(points, [0] * len(points))]
    return np.asarray(parts.objective({name: jnp.asarray([m[name] for m in found]) for name in found[0]}))


def _of_table(
    rewards: np.ndarray, searches: Sequence[FinishedSearch], longest: int, seconds: float
) -> Baseline:
    replacing = all(search.strategy != WITHOUT_REPLACEMENT for search in searches)
    made = expected(rewards, longest if replacing else min(longest, len(rewards)), replacing)
    best = float(rewards[np.isfinite(rewards)].max()) if made else None
    return Baseline(best, f"random, exact over {len(rewards):,} points", made, seconds)


def _kept(searches: Sequence[FinishedSearch], seconds: float) -> Baseline | None:
    """The longest baseline beside the searches; None where there is none, or they are of several tables."""
    found = []
    for path in {search.directory / BASELINE for search in searches}:
        if path.exists():
            try:
                found.append(Baseline.from_json(path.read_text(), seconds))
            except ValueError as error:
                raise ValueError(
                    f"{path} is damaged: {error}: delete it, or report with the table."
                ) from error
    if len({(one.optimum, one.label) for one in found}) != 1:
        return None
    return max(found, key=lambda one: len(one.expected.x) if one.expected else 0)


def expected(rewards: np.ndarray, draws: int, replacing: bool) -> Curve | None:
    """What random search finds on average among rewards [size], exactly, after 1 to `draws` draws.

    Draws without a finite reward count, and bring nothing; means are over the searches that have found
    something. None where no reward is finite.
    """
    finite = np.isfinite(rewards)
    if not finite.any():
        return None
    signal, value = np.where(finite, rewards, -np.inf), np.where(finite, rewards, 0.0)
    numbers = np.unique(np.geomspace(1, draws, MOST_DRAWS).round().astype(int))
    means, deviations = [], []
    for number in numbers.tolist():
        some = expectation.random_search(signal, finite.astype(float), number, replacing).mean
        all_ = expectation.random_search(signal, value, number, replacing)
        mean = all_.mean / some
        means.append(mean)
        deviations.append(max((all_.deviation**2 + all_.mean**2) / some - mean**2, 0.0) ** 0.5)
    return Curve(numbers.astype(float), np.array(means), np.array(deviations), 1)
