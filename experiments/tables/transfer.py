"""The same five strategies at the same settings on all other tables: which still beat random search?"""

from __future__ import annotations

from pathlib import Path

from experiments.tables import nasbench201
from experiments.tables.searches import COMPARED, Summary, Task, compare, markdown, row
from search.spaces import nasbench_macro, transnas

BUDGETS = (50, 100, 200)
SEEDS = 500
TUNED_ON = ("CIFAR-10", "NAS-Bench-Macro", "TransNAS micro class_object")

NOTE = """Regret: how far the mean report stays below the best network of the table, in percent of random search's exact
expected regret at as many evaluations. 100 is random search, 0 the optimum; "!" marks what is not better than random
by two standard errors. {seeds} seeds. Rates and entropy were chosen on the tables marked *, the scoring of rewards on
six (`docs/decisions.md`). NAS-Bench-Macro's reward is one training run, its report the mean of three; TransNAS has one column, which is both."""
HEADINGS = ("table", "evaluations", "random, mean report", *COMPARED[1:])


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
    summaries = compare(made, COMPARED[1:], BUDGETS, seeds)
    lines = ["# Search on every table, at one setting", "", NOTE.format(seeds=seeds), "", *markdown(HEADINGS)]
    for task in made:
        for budget in BUDGETS:
            ours = [s for s in summaries if s.task is task and s.evaluations == budget]
            name = task.name + ("*" if task.name in TUNED_ON else "")
            mean = f"{task.expectation(budget).mean:.4g}"
            lines.append(row(name, str(budget), mean, *(regret(s) for s in ours)))
    return "\n".join([*lines, ""])


def regret(summary: Summary) -> str:
    """The regret in percent of random's, marked where it is no better beyond doubt."""
    exact = summary.task.expectation(summary.evaluations).mean
    optimum = summary.task.optimum
    error = summary.deviation / summary.seeds**0.5
    doubt = "" if summary.mean - 2 * error > exact else " !"
    share = 100 * (optimum - summary.mean) / (optimum - exact) if optimum > exact else 0.0
    return f"{share:.0f}{doubt}"
