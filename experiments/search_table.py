"""Search a table of your own with several strategies, and compare them with random search.

python -m experiments.search_table FILE.csv --decisions=kernel,depth --signal=val --score=test
    [--minimise] [--minimise_score] [--partial] [--evaluations=50,100,200] [--seeds=500]
    [--strategies=evolution,lstm_ppo|all]

FILE has one column a decision and one line a point, and may be gzipped. Strategies see column `signal` only;
`score` (the same column, if left out) is read once, of what each search chose. Less of the signal is better
with --minimise, less of a score of its own with --minimise_score. `all` are those of the committed
comparisons: each strategy without and with a memory of what it asked, and the two with models.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments import cli
from experiments.tables.searches import (
    COMPARED,
    MODEL_SEEDS,
    QUICK,
    Summary,
    Task,
    compare,
    markdown,
    number,
    row,
)
from experiments.tables.transfer import regret
from search.core.table import Table
from search.spaces import user
from search.strategies.catalogue import SEVERAL, STRATEGIES

ALL = "all"
HEADINGS = ("strategy", "evaluations", "mean report", "deviation", "regret", "found", "distinct")
NOTE = f"""
regret: in percent of random search's; "!": not better than random by two standard errors. found: the percentage of
searches that saw the best signal of the table. gp and predictor: {MODEL_SEEDS} searches each at most."""


def main(argv: Sequence[str]) -> None:
    """Print mean, deviation and regret of each strategy and budget."""
    arguments = _parser().parse_args(argv)
    budgets = _budgets(arguments.evaluations)
    strategies = list(COMPARED) if arguments.strategies == ALL else _words(arguments.strategies)
    known = [name for name in STRATEGIES if name not in SEVERAL]
    unknown = [name for name in strategies if name not in (*known, *COMPARED)]
    if unknown or not strategies:
        raise ValueError(
            f"--strategies={arguments.strategies}: {unknown or 'nothing'} cannot search for one number: there are "
            f"{', '.join(known)}, or {ALL}."
        )
    if arguments.seeds < 1:
        raise ValueError(
            f"--seeds={arguments.seeds} must be at least 1: it is how many searches are averaged."
        )
    task, sign = _task(arguments), -1 if _sinking(arguments)[1] else 1
    summaries = compare([task], strategies, budgets, arguments.seeds)
    space = task.table.space
    print(f"{space.name}: {space.size} points, {space.length} decisions; {arguments.seeds} searches each.\n")
    print(*markdown(HEADINGS), sep="\n")
    for budget in budgets:
        exact = task.expectation(budget)
        mean, deviation = number(sign * exact.mean), number(exact.deviation)
        print(row("random, exact", str(budget), mean, deviation, "100", "", ""))
        for found in summaries:
            if found.evaluations == budget:
                print(_line(found, sign))
    print(row("best by the signal", "", number(sign * task.at_best_signal), "", "", "100", ""))
    print(row("best of the table", "", number(sign * task.optimum), "", "0", "", ""))
    print(NOTE)


def _line(found: Summary, sign: int) -> str:
    mean, deviation = number(sign * found.mean), number(found.deviation)
    share, networks = f"{100 * found.found:.0f}", f"{found.distinct:.0f}"
    return row(found.strategy, str(found.evaluations), mean, deviation, regret(found), share, networks)


def _task(arguments: argparse.Namespace) -> Task:
    """The table, with a column negated where less of it is better."""
    signal, score = arguments.signal, arguments.score or arguments.signal
    sinking = dict(zip((signal, score), _sinking(arguments)))
    table = user.load(arguments.file, _words(arguments.decisions), list(sinking), partial=arguments.partial)
    columns = {name: -table.column(name) if less else table.column(name) for name, less in sinking.items()}
    return Task(table.space.name, Table(table.space, columns), signal, score)


def _sinking(arguments: argparse.Namespace) -> tuple[bool, bool]:
    """Whether less of the signal, and of the score, is better; ValueError for a sense of no score."""
    if arguments.score not in (None, arguments.signal):
        return arguments.minimise, arguments.minimise_score
    if arguments.minimise_score:
        raise ValueError(
            f"--minimise_score without a --score of its own: the score is the signal {arguments.signal!r}, so say "
            "--minimise, or name another column as --score."
        )
    return arguments.minimise, arguments.minimise


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _budgets(text: str) -> list[int]:
    try:
        budgets = [int(word) for word in _words(text)]
    except ValueError:
        budgets = []
    if not budgets or min(budgets) < 1:
        raise ValueError(f"--evaluations={text} must be numbers of at least 1, as in 50,100.")
    return budgets


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.search_table", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    made.add_argument("file", type=Path, metavar="FILE", help="a CSV file, gzipped or not")
    made.add_argument("--decisions", required=True, metavar="A,B", help="columns that are choices")
    made.add_argument("--signal", required=True, metavar="COLUMN", help="what the searches see")
    made.add_argument(
        "--score", metavar="COLUMN", help="what is reported of their choice (default: the signal)"
    )
    made.add_argument("--minimise", action="store_true", help="less of the signal is better")
    made.add_argument("--minimise_score", action="store_true", help="less of the score is better")
    made.add_argument("--partial", action="store_true", help="search the lines of the file only")
    made.add_argument("--evaluations", default="50,100,200", metavar="N,M", help="budgets")
    made.add_argument("--seeds", type=int, default=500, metavar="N", help="searches a strategy")
    made.add_argument("--strategies", default=",".join(QUICK), metavar="A,B", help="which of them")
    return made


if __name__ == "__main__":
    cli.run_command(main)
