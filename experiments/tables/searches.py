"""Many searches over one table, summarised: what the strategies report on average, and random exactly."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import jax
import numpy as np

from search.core.objectives import maximise
from search.core.space import Space
from search.core.strategy import Strategy
from search.core.table import Table
from search.evaluators.tabular import tabular
from search.simulation.expectation import Expectation, random_search
from search.simulation.simulate import chosen, distinct, simulate
from search.strategies import catalogue

METRIC = "reward"
OBJECTIVE = maximise(METRIC)
COMPARED = ("random", "evolution", "reinforce", "lstm_reinforce", "lstm_ppo")


@dataclass(frozen=True)
class Task:
    """A table to search: strategies see column `signal`; `report` is read once, of what they chose."""

    name: str
    table: Table
    signal: str
    report: str

    @property
    def optimum(self) -> float:
        """The best value that a search could report."""
        return float(self.table.column(self.report).max())

    def expectation(self, evaluations: int) -> Expectation:
        """What random search reports, exactly."""
        return random_search(self.table.column(self.signal), self.table.column(self.report), evaluations)


@dataclass(frozen=True)
class Summary:
    """What searches of one strategy reported: mean, deviation over seeds, distinct networks evaluated."""

    task: Task
    strategy: str
    evaluations: int
    mean: float
    deviation: float
    distinct: float
    seeds: int


@functools.cache
def _strategy(name: str, space: Space) -> Strategy:
    """One value for a name and space, so that tables of one space share a compiled program."""
    return catalogue.named(name, space)


def search(task: Task, strategy: str, budgets: Sequence[int], seeds: int, seed: int = 0) -> list[Summary]:
    """Run `seeds` searches of the largest budget; a smaller budget is the beginning of the same searches."""
    keys = jax.random.split(jax.random.key(seed), seeds)
    evaluator = tabular(task.table, {METRIC: task.signal})
    found = simulate(_strategy(strategy, task.table.space), evaluator, OBJECTIVE, max(budgets), keys)
    points = np.asarray(found.points)
    summaries = []
    for budget in budgets:
        reported = task.table.at(task.report, chosen(found, budget))
        different = distinct(task.table.space, points[:, :budget]).mean()
        numbers = float(reported.mean()), float(reported.std()), float(different)
        summaries.append(Summary(task, strategy, budget, *numbers, seeds))
    return summaries


def compare(
    tasks: Sequence[Task], strategies: Sequence[str], budgets: Sequence[int], seeds: int, seed: int = 0
) -> list[Summary]:
    """Search every table with every strategy; strategies run beside each other on the machine's cores."""
    largest_first = strategies[::-1]
    with ThreadPoolExecutor(min(len(strategies), os.cpu_count() or 1)) as pool:
        jobs = {
            name: pool.submit(lambda n: [search(task, n, budgets, seeds, seed) for task in tasks], name)
            for name in largest_first
        }
        by_name = {name: job.result() for name, job in jobs.items()}
    return [summary for i in range(len(tasks)) for name in strategies for summary in by_name[name][i]]


def markdown(headings: Sequence[str]) -> list[str]:
    """The two head lines of a Markdown table."""
    return [row(*headings), "|" + " --- |" * len(headings)]


def row(*cells: str) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def plus_minus(mean: float, deviation: float) -> str:
    """A mean and its deviation, both with two decimals."""
    return f"{mean:.2f} ± {deviation:.2f}"


def number(value: float) -> str:
    """Five significant digits, for metrics of any unit."""
    return f"{value:.5g}"
