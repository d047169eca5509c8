"""Many searches over one table, summarised: what the strategies report on average, and random exactly."""

from __future__ import annotations

import dataclasses
import functools
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from scaling.reports.markdown import table_line
from scaling.sweeps.executors import cores, share_cores
from search.core.objectives import maximise
from search.core.space import Space
from search.core.strategy import Strategy
from search.core.table import Table
from search.evaluators.tabular import tabular
from search.simulation.expectation import Expectation, random_search
from search.simulation.simulate import chosen, distinct, simulate
from search.strategies import catalogue
from search.strategies.remembering import remembering

METRIC = "reward"
OBJECTIVE = maximise(METRIC)
WITHOUT, WITH = " without memory", " with memory"  # of what was asked, after the name of a strategy
CONTROLLERS = ("reinforce", "lstm_reinforce", "lstm_ppo")
QUICK = ("random", "local_search", "evolution", *CONTROLLERS)
MODELS = ("gp", "predictor")  # never ask for a point that they remember, so they have one setting
MODEL_SEEDS = 50  # a step of theirs costs more than a step of all others together
Settings = tuple[tuple[str, Any], ...]  # of a strategy, by name
COMPARED = (*(name + memory for name in QUICK for memory in (WITHOUT, WITH)), *MODELS)


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

    @property
    def best_signal(self) -> float:
        """The best value that a search could see."""
        return float(self.table.column(self.signal).max())

    @property
    def at_best_signal(self) -> float:
        """The report of the point with the best signal: where a perfect search ends, below the optimum."""
        columns = self.table.column(self.signal), self.table.column(self.report)
        return float(columns[1][columns[0] == self.best_signal].mean())

    def expectation(self, evaluations: int) -> Expectation:
        """What random search reports, exactly."""
        return random_search(self.table.column(self.signal), self.table.column(self.report), evaluations)


@dataclass(frozen=True)
class Summary:
    """What searches of one strategy reported: mean, deviation over seeds, distinct networks evaluated.

    `signal_regret` is how far the best signal seen stays below the table's best, on average, and `found` the
    share of searches that saw that one: what tells searches apart, whatever the report makes of the signal.
    `signal_deviation` is that of the best signal seen, over seeds.
    """

    task: Task
    strategy: str
    evaluations: int
    mean: float
    deviation: float
    distinct: float
    seeds: int
    signal_regret: float = float("nan")
    found: float = float("nan")
    signal_deviation: float = float("nan")


MakeTasks = Callable[[], Sequence[Task]]


@functools.cache
def _strategy(name: str, space: Space, settings: Settings = ()) -> Strategy:
    """One value for a name, a space and settings, so that tables of one space share a compiled program.

    Controllers remember by themselves, with as many tries as the wrapper that remembers for the others: of a
    batch they draw again what is known, where the wrapper draws all of it. A name alone is the catalogue's
    setting.
    """
    plain = name.removesuffix(WITHOUT).removesuffix(WITH)
    forgetful = {"tries": 1} if plain in CONTROLLERS and name.endswith(WITHOUT) else {}
    strategy = catalogue.named(plain, space, **forgetful, **dict(settings))
    return remembering(strategy, space) if name.endswith(WITH) and plain not in CONTROLLERS else strategy


def seeds_of(strategy: str, seeds: int) -> int:
    """How many searches of a strategy are averaged, of `seeds` asked for."""
    return min(seeds, MODEL_SEEDS) if strategy in MODELS else seeds


def search(
    task: Task,
    strategy: str,
    budgets: Sequence[int],
    seeds: int,
    seed: int = 0,
    settings: Settings = (),
) -> list[Summary]:
    """Run `seeds` searches of the largest budget; a smaller budget is the beginning of the same searches.

    `settings` replace the catalogue's.
    """
    seeds = seeds_of(strategy, seeds)
    keys = jax.random.split(jax.random.key(seed), seeds)
    evaluator = tabular(_centred(task), {METRIC: task.signal})
    found = simulate(
        _strategy(strategy, task.table.space, settings), evaluator, OBJECTIVE, max(budgets), keys
    )
    points = np.asarray(found.points)
    summaries = []
    for budget in budgets:
        best = chosen(found, budget)
        reported, seen = task.table.at(task.report, best), task.table.at(task.signal, best)
        different = distinct(task.table.space, points[:, :budget]).mean()
        numbers = float(reported.mean()), float(reported.std()), float(different)
        missed = (
            float(task.best_signal - seen.mean()),
            float((seen == task.best_signal).mean()),
            float(seen.std()),
        )
        summaries.append(Summary(task, strategy, budget, *numbers, seeds, *missed))
    return summaries


def _centred(task: Task) -> Table:
    """The signal less its mean: searches see float32, in which a large offset makes near values equal."""
    signal = task.table.column(task.signal)
    return Table(task.table.space, {task.signal: signal - signal.mean()})


def compare(
    tasks: Sequence[Task],
    strategies: Sequence[str],
    budgets: Sequence[int],
    seeds: int,
    seed: int = 0,
    again: MakeTasks | None = None,
) -> list[Summary]:
    """Search every table with every strategy; strategies run beside each other on the machine's cores.

    On a CPU they do so in processes, where `again` makes the same tasks anew: two programs that are compiled
    or run by one process wait for each other.
    """
    shares = share_of_cores(len(strategies))
    largest_first = strategies[::-1]
    if again is not None and len(shares) > 1 and jax.default_backend() == "cpu":
        context = multiprocessing.get_context("spawn")
        slots = context.SimpleQueue()
        for share in shares:
            slots.put(share)
        pool = ProcessPoolExecutor(len(shares), context, _begin, (again, slots))
        run = functools.partial(_searched_anew, budgets=budgets, seeds=seeds, seed=seed)
    else:
        pool = ThreadPoolExecutor(len(shares))
        run = functools.partial(_searched, tasks, budgets=budgets, seeds=seeds, seed=seed)
    with pool:
        by_name = dict(zip(largest_first, pool.map(run, largest_first)))
    return [
        dataclasses.replace(summary, task=task)
        for i, task in enumerate(tasks)
        for name in strategies
        for summary in by_name[name][i]
    ]


def share_of_cores(jobs: int) -> list[set[int]]:
    """The cores of each of at most so many jobs: all that this process may use, cut up."""
    allowed = cores()
    workers = min(jobs, len(allowed))
    return [share_cores(allowed, slot, workers) for slot in range(workers)]


def _searched(
    tasks: Sequence[Task], strategy: str, budgets: Sequence[int], seeds: int, seed: int
) -> list[list[Summary]]:
    return [search(task, strategy, budgets, seeds, seed) for task in tasks]


_made: list[Task] = []  # of a process that searches for another one


def _begin(again: MakeTasks, slots: Any) -> None:
    """Take some cores, before XLA counts them, and make the tasks."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, slots.get())
    _made.extend(again())


def _searched_anew(strategy: str, **told: Any) -> list[list[Any]]:
    """Summaries without their tasks, which know functions and stay where they are."""
    found = _searched(_made, strategy, **told)
    return [[dataclasses.replace(summary, task=None) for summary in of_task] for of_task in found]


def markdown(headings: Sequence[str]) -> list[str]:
    """The two head lines of a Markdown table."""
    return [row(*headings), "|" + " --- |" * len(headings)]


def row(*cells: str) -> str:
    """A line of a Markdown table."""
    return table_line(cells)


def plus_minus(mean: float, deviation: float) -> str:
    """A mean and its deviation, both with two decimals."""
    return f"{mean:.2f} ± {deviation:.2f}"


def number(value: float) -> str:
    """Five significant digits, for metrics of any unit."""
    return f"{value:.5g}"
