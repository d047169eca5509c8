"""The same strategies at the same settings on all other tables: which still beat random search?"""

from __future__ import annotations

import functools
import math
from pathlib import Path

from experiments.tables import nasbench201
from experiments.tables.searches import COMPARED, MODELS, Summary, Task, compare, markdown, row, seeds_of
from search.spaces import nasbench_macro, transnas

BUDGETS = (50, 100, 200)
SEEDS = 500
TUNED_ON = ("CIFAR-10", "NAS-Bench-Macro", "TransNAS micro class_object")

NOTE = """Regret: how far the mean report stays below the best network of the table, in percent of random search's exact
expected regret at as many evaluations. 100 is random search, 0 the optimum; "!" marks what is not better than random
by two standard errors. {seeds} seeds, {models} for gp and predictor. With memory, a strategy draws up to 8 times until a
point is new; gp and predictor never ask twice (up to 256 evaluations). Rates and entropy were chosen on the tables marked *, the scoring of rewards on
six (`docs/decisions.md`). NAS-Bench-Macro's reward is one training run, its report the mean of three; TransNAS has one column, which is both."""
FOUND = """Found: the share of seeds that saw the best signal of the table, in percent. "At it" is the report there:
where a perfect search ends."""
RIVALS = COMPARED[1:]  # random without memory is what all are measured against
HEADINGS = ("table", "evaluations", "random, mean report", *RIVALS)
FOUND_HEADINGS = ("table", "evaluations", "at it", *RIVALS)


def tasks(directory: Path) -> list[Task]:
    """Every table there is, with what a search may see and what it reports."""
    macro, micro = nasbench_macro.load(directory), transnas.load_micro(directory)
    skeletons = transnas.load_macro(directory)
    return [
        *nasbench201.tasks(directory),
        Task("NAS-Bench-Macro", macro, "run0", "mean_acc"),
        *(Task(f"TransNAS micro {t}", micro, f"val_{t}", f"val_{t}") for t in transnas.TASKS),
        *(Task(f"TransNAS macro {t}", skeletons, f"val_{t}", f"val_{t}") for t in transnas.TASKS),
    ]


def table(data: Path, seeds: int = SEEDS) -> str:
    """Regret of the strategies relative to random search, on all 18 tables of the four benchmarks."""
    made = tasks(data)
    summaries = compare(made, RIVALS, BUDGETS, seeds, again=functools.partial(tasks, data))
    note = NOTE.format(seeds=seeds, models=seeds_of(MODELS[0], seeds))
    regrets = [
        row(_marked(task), str(n), f"{task.expectation(n).mean:.4g}", *map(regret, _of(task, n, summaries)))
        for task in made
        for n in BUDGETS
    ]
    shares = [
        row(
            _marked(task),
            str(n),
            f"{task.at_best_signal:.4g}",
            *(f"{100 * s.found:.0f}" for s in _of(task, n, summaries)),
        )
        for task in made
        for n in BUDGETS
    ]
    lines = ["# Search on every table, at one setting", "", note, "", *markdown(HEADINGS), *regrets]
    return "\n".join([*lines, "", FOUND, "", *markdown(FOUND_HEADINGS), *shares, ""])


def _marked(task: Task) -> str:
    return task.name + ("*" if task.name in TUNED_ON else "")


def _of(task: Task, evaluations: int, summaries: list[Summary]) -> list[Summary]:
    return [s for s in summaries if s.task is task and s.evaluations == evaluations]


def regret(summary: Summary) -> str:
    """The regret in percent of random's, marked where it is no better beyond doubt, as one seed never is."""
    exact = summary.task.expectation(summary.evaluations).mean
    optimum = summary.task.optimum
    error = summary.deviation / (summary.seeds - 1) ** 0.5 if summary.seeds > 1 else math.inf
    doubt = "" if summary.mean - 2 * error > exact else " !"
    share = 100 * (optimum - summary.mean) / (optimum - exact) if optimum > exact else 0.0
    return f"{share:.0f}{doubt}"
