"""NAS-Bench-201: what eight strategies find in 100 and 200 evaluations, beside published figures."""

from __future__ import annotations

import functools
from pathlib import Path

from experiments.tables.searches import (
    COMPARED,
    MODELS,
    WITH,
    WITHOUT,
    Summary,
    Task,
    compare,
    markdown,
    plus_minus,
    row,
    seeds_of,
)
from search.spaces import nasbench201

BUDGETS = (100, 200)
SEEDS = 500

PAPER = "arXiv 2001.00326, as quoted in the README of xfey/RMI-NAS"
REVIEW = "arXiv 2001.00326, as quoted in a comparison with LLMatic"
COLLM = "CoLLM-NAS, Table 4: their runs, 10 seeds"
PUBLISHED = {
    ("random", "c10"): ((93.70, 0.36, REVIEW), (93.83, 0.09, COLLM)),
    ("random", "c100"): ((71.52, 0.93, COLLM),),
    ("random", "in16"): ((44.57, 1.25, REVIEW), (45.37, 0.54, COLLM)),
    ("evolution", "c10"): ((94.23, 0.25, COLLM),),
    ("evolution", "c100"): ((72.82, 0.87, COLLM),),
    ("evolution", "in16"): ((46.49, 0.60, COLLM),),
    ("reinforce", "c10"): ((93.85, 0.37, PAPER), (93.94, 0.25, COLLM)),
    ("reinforce", "c100"): ((71.71, 1.09, PAPER), (71.78, 1.20, COLLM)),
    ("reinforce", "in16"): ((45.24, 1.18, PAPER), (45.95, 0.76, COLLM)),
}
NOTE = """Reward (the signal): validation accuracy after 12 epochs. Report: test accuracy after 200 epochs of the network with
the best reward, read once at the end; mean ± standard deviation over {seeds} seeds ({models} for gp and predictor), in
percent. Every point asked for is an evaluation, also one asked for before; "distinct" is how many different networks
{most} evaluations were. With memory, a strategy draws up to 8 times until a point is new; gp and predictor never ask
twice (up to 256 evaluations). "Signal regret" is how far the best reward seen stays below the table's best, in points, and "found" the
share of seeds that saw that one: the report of the signal's optimum is where a perfect search ends, and a mean above it is
luck of the report, not of the search. Published runs had a budget of seconds or of their own, not these
numbers of evaluations, and stand beside the setting that is nearest to theirs: see their sources."""
HEADINGS = (
    "data set",
    "strategy",
    *(f"{n} evaluations" for n in BUDGETS),
    *(f"signal regret, {n}" for n in BUDGETS),
    *(f"found, {n}" for n in BUDGETS),
    "distinct",
    "published",
    "source",
)
EMPTY = ("",) * (len(HEADINGS) - 2 - len(BUDGETS))


def tasks(directory: Path) -> list[Task]:
    """The three data sets, with what a search may see and what it reports."""
    table = nasbench201.load(directory)
    return [
        Task(name, table, f"{short}_val_12", f"{short}_test_200")
        for short, name in nasbench201.DATASETS.items()
    ]


def table(data: Path, seeds: int = SEEDS) -> str:
    """All strategies with and without a memory, and two with a model, on three data sets."""
    made = tasks(data)
    summaries = compare(made, COMPARED, BUDGETS, seeds, again=functools.partial(tasks, data))
    note = NOTE.format(seeds=seeds, models=seeds_of(MODELS[0], seeds), most=max(BUDGETS))
    lines = ["# NAS-Bench-201", "", note, "", *markdown(HEADINGS)]
    for task, short in zip(made, nasbench201.DATASETS):
        exact = [plus_minus(*task.expectation(n)) for n in BUDGETS]
        lines.append(row(task.name, "random, exact expectation", *exact, *EMPTY))
        lines += [_line(short, task, name, summaries) for name in COMPARED]
        for name, value in (
            ("best network by the signal", task.at_best_signal),
            ("best network of the table", task.optimum),
        ):
            lines.append(row(task.name, name, *[f"{value:.2f}"] * len(BUDGETS), *EMPTY))
    return "\n".join([*lines, ""])


def _line(short: str, task: Task, strategy: str, summaries: list[Summary]) -> str:
    ours = [s for s in summaries if s.task is task and s.strategy == strategy]
    plain = strategy.removesuffix(WITHOUT)  # as the published ones; with memory it is another method
    published = () if strategy.endswith(WITH) else PUBLISHED.get((plain, short), ())
    return row(
        task.name,
        strategy,
        *(plus_minus(s.mean, s.deviation) for s in ours),
        *(f"{s.signal_regret:.2f}" for s in ours),
        *(f"{s.found:.0%}" for s in ours),
        f"{ours[-1].distinct:.0f}",
        "; ".join(plus_minus(mean, deviation) for mean, deviation, _ in published),
        "; ".join(source for *_, source in published),
    )
