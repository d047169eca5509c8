"""Search an architecture by training candidates, then train the best for good.

python -m experiments.search --config=configs/x.py --workdir=runs/x [--workers=N] [--retry]

With several workers the candidates of a batch train at a time, each in a process of its own; the history is
that of one worker. The best networks are then trained as `config.final` says, each by every seed. Run it
again to go on after an interruption, or with a larger `--config.evaluations` to search on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import jax

from experiments import cli, sweep
from scaling.runs import store
from scaling.runs.workdir import check_owner, claim
from scaling.sweeps.in_process import Read, in_process
from scaling.sweeps.run import Pool, Watch
from scaling.training import Interrupted
from scaling.training.start import start
from search.core.space import Space
from search.evaluators.training import PoolOf
from search.reports.build import build
from search.runs import outcome
from search.runs.assemble import assemble
from search.runs.history import History, Record
from search.runs.run import run
from search.runs.spec import FREE, SearchSpec
from search.runs.workdir import BEST, FINAL, GENOTYPE

NOTHING = (-1, -float("inf"))  # how a record stands that has no reward


def main(argv: Sequence[str]) -> int:
    """Search as the command line says; return the exit code."""
    arguments, overrides = cli.parse(
        sweep.add_arguments(cli.parser((__doc__ or "").partition("\n")[0])), argv
    )
    spec = cli.load_spec(arguments.config, overrides, SearchSpec, FREE)
    start()
    try:
        with store.lock(arguments.workdir):
            space, records = search(spec, arguments)
            code = train_best(spec, space, records, arguments)
    except KeyboardInterrupt as stopped:
        return interrupted(stopped)
    for path in build([arguments.workdir], arguments.workdir, arguments.workdir.resolve().name).values():
        print(path)
    return code


def search(spec: SearchSpec, arguments: argparse.Namespace) -> tuple[Space, list[Record]]:
    """Search, or continue a search, and write the best network; return the space and all records."""
    workdir = arguments.workdir
    check_owner(workdir, spec)
    say, watch = sweep.shown(sys.stdout)
    parts, history = assemble(spec, workdir, _pool_of(spec, arguments, watch)), History(workdir)
    claim(workdir, spec)
    known = len(history.records)
    print(f"{parts.space.name}: {parts.space.size:,} points; {known} of {spec.evaluations} evaluated")
    with sweep.stoppable():
        records = run(
            parts,
            spec.evaluations,
            spec.seed,
            history,
            _line(spec.evaluations, bool(spec.strategy.widths), say, history.records),
        )
    (found,) = outcome.best(records, 1)
    outcome.write_best(spec, parts.space, found, workdir)
    print(f"best: {found.name}  rewards {found.rewards}; {workdir / BEST / GENOTYPE}")
    return parts.space, records


def interrupted(stopped: KeyboardInterrupt) -> int:
    """Say that a search was stopped and goes on; return the exit code."""
    print(f"{stopped}\nthe same command goes on with the search.".strip(), file=sys.stderr)
    return stopped.exit_code if isinstance(stopped, Interrupted) else sweep.INTERRUPTED


def train_best(
    spec: SearchSpec, space: Space, records: Sequence[Record], arguments: argparse.Namespace
) -> int:
    """Train the best networks for good; return the exit code: 0 where every run has a result."""
    made = outcome.final_trials(spec, space, records)
    if not made:
        return 0
    workdir = arguments.workdir / FINAL
    told = argparse.Namespace(**{**vars(arguments), "workdir": workdir})
    return sweep.conclude(made, workdir) if sweep.execute(made, told) else sweep.INTERRUPTED


def _pool_of(spec: SearchSpec, arguments: argparse.Namespace, watch: Watch | None) -> PoolOf:
    """What trains candidates: a process for each, or this process where one trains at a time.

    One process starts once and compiles less.
    """
    several = arguments.workers != 1 or arguments.engine != sweep.LOCAL
    if several and spec.evaluator.name == "training":
        if batch := spec.evaluator.settings.get("latency_batch"):
            raise ValueError(
                f"config.evaluator.settings.latency_batch={batch} times networks on this machine, where --workers="
                f"{arguments.workers} has others train meanwhile: leave one of the two out."
            )
        jax.config.update("jax_platforms", "cpu")  # the accelerators are the candidates'

    def pool(runs: Path, read: Read) -> Pool:
        if not several:
            return in_process(runs, read, arguments.retry, watch)
        return Pool(runs, sweep.executor_of(arguments), sweep.train_command, arguments.retry, watch=watch)

    return pool


def _line(
    total: int, halved: bool, say: Callable[[str], None], known: Sequence[Record] = ()
) -> Callable[[Record, float], None]:
    """A reporter that tells one line for each evaluation, with the best reward so far.

    That is of the `known` records too, and of those at the highest rung alone: only these compare.
    """
    highest = max(map(_standing, known), default=NOTHING)

    def show(record: Record, seconds: float) -> None:
        nonlocal highest
        highest = max(highest, _standing(record))
        reward, best = record.rewards[0], highest[1]
        told = "no reward" if reward is None else "  ".join(f"{r:.5g}" for r in record.rewards)
        how = "cached" if record.cached else f"{seconds:.1f} s"
        rung = f"  at rung {record.rung}" if halved else ""
        why = f"  {record.message.splitlines()[0]}" if record.message else ""
        place = f"[{record.index + 1}/{total}]"
        say(f"{place} {record.status}  {told}  best {best:.5g}  {how}  {record.name}{rung}{why}")

    return show


def _standing(record: Record) -> tuple[int, float]:
    """What records are ordered by: the rung, then the first reward."""
    reward = record.rewards[0]
    return NOTHING if reward is None else (record.rung, reward)


if __name__ == "__main__":
    cli.run_command(main)
