"""How the settings of the strategies are chosen: one grid each, on three tables, by what a search sees."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.tables.searches import MODELS, WITH, Summary, Task, markdown, row, search, seeds_of
from experiments.tables.transfer import TUNED_ON, tasks
from search.simulation.expectation import random_search

BUDGET = 100
SEEDS = 100
SEED = 1000  # other searches than those that are reported

# Around the catalogue's own values, which stand in the middle
GRIDS: dict[str, Mapping[str, Sequence[Any]]] = {
    "evolution": {"population": (10, 20, 50), "tournament": (3, 5, 10)},
    "reinforce": {"rate": (0.08, 0.15, 0.3), "entropy": (0.1, 0.2, 0.4)},
    "lstm_reinforce": {"rate": (0.01, 0.02, 0.04), "entropy": (0.1, 0.2, 0.4)},
    "lstm_ppo": {"rate": (0.01, 0.02, 0.04), "entropy": (0.1, 0.2, 0.4)},
    "gp": {"kappa": (0.5, 1.0, 2.0), "length_scale": (0.25, 0.5, 1.0)},
    "predictor": {"kappa": (0.5, 1.0, 2.0), "ridge": (0.3, 1.0, 3.0)},
}
NOTE = """One procedure for all: nine settings a strategy, {seeds} searches each ({models} of gp and predictor) of {budget}
evaluations on {tables}, evolution with a memory of what it asked. The score is the mean over the three of the signal regret in
percent of random search's exact one, with its standard error. The catalogue's setting stays unless the best one is below it
by two standard errors of the difference. Reports (`nasbench201`, `search-transfer`) are of other seeds, and of 15 other tables.
`local_search` has no settings but its batch."""


@dataclass(frozen=True)
class Tried:
    """A setting, its regret on each table, and the mean of them with its standard error, in percent."""

    settings: Mapping[str, Any]
    regrets: tuple[float, ...]
    error: float

    @property
    def score(self) -> float:
        return sum(self.regrets) / len(self.regrets)


def table(data: Path, seeds: int = SEEDS) -> str:
    """Settings of the strategies, chosen on three tables by one procedure."""
    seeds = min(seeds, SEEDS)
    chosen_on = [task for task in tasks(data) if task.name in TUNED_ON]
    note = NOTE.format(
        seeds=seeds, models=seeds_of(MODELS[0], seeds), budget=BUDGET, tables=", ".join(TUNED_ON)
    )
    headings = ("strategy", "settings", *TUNED_ON, "score", "verdict")
    lines = ["# Settings of the strategies", "", note, "", *markdown(headings)]
    for name, grid in GRIDS.items():
        tried = [
            _try(name, dict(zip(grid, values)), chosen_on, seeds)
            for values in itertools.product(*grid.values())
        ]
        lines += [row(name, *_cells(one), verdict(one, tried, grid)) for one in tried]
    return "\n".join([*lines, ""])


def verdict(one: Tried, tried: Sequence[Tried], grid: Mapping[str, Sequence[Any]]) -> str:
    """What the procedure says of one setting: "chosen", "catalogue", both, or nothing."""
    ours = {name: values[len(values) // 2] for name, values in grid.items()}
    default = next(other for other in tried if other.settings == ours)
    best = min(tried, key=lambda other: other.score)
    better = default.score - best.score > 2 * math.hypot(default.error, best.error)
    words = ["catalogue"] * (one is default) + ["chosen"] * (one is (best if better else default))
    return ", ".join(words)


def _try(name: str, settings: Mapping[str, Any], chosen_on: Sequence[Task], seeds: int) -> Tried:
    asked = name + WITH if name == "evolution" else name
    found = [search(task, asked, (BUDGET,), seeds, SEED, tuple(settings.items()))[0] for task in chosen_on]
    shares = [_share(summary) for summary in found]
    error = math.sqrt(sum(error**2 for _, error in shares)) / len(shares)
    return Tried(settings, tuple(share for share, _ in shares), error)


def _share(summary: Summary) -> tuple[float, float]:
    """The signal regret in percent of random search's, and its standard error."""
    signal = summary.task.table.column(summary.task.signal)
    whole = summary.task.best_signal - random_search(signal, signal, summary.evaluations).mean
    error = summary.signal_deviation / math.sqrt(summary.seeds)
    return 100 * summary.signal_regret / whole, 100 * error / whole


def _cells(one: Tried) -> list[str]:
    settings = ", ".join(f"{name} {value:g}" for name, value in one.settings.items())
    regrets = [f"{regret:.0f}" for regret in one.regrets]
    return [settings, *regrets, f"{one.score:.1f} ± {one.error:.1f}"]
