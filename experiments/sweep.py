"""Run every trial of a config's `get_sweep()`, then write table, picture and page.

python -m experiments.sweep --config=configs/quickstart.py --workdir=runs/quickstart [--workers=N] [--retry] \
    [--only=KEY=VALUE] [--dry_run] [--engine=ray [--address=HOST:PORT]]

Run it again to go on after an interruption: finished trials are skipped. Trials that failed, ran out
of memory or of time, or were lost, keep their rows until `--retry` asks for them again. Run it several
times at once, also on other machines that see the directory, and they share the trials.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from experiments import cli
from scaling.reports.curve import scored
from scaling.reports.units import duration, si
from scaling.reports.watching import Board, Watcher
from scaling.runs import store
from scaling.runs.estimate import Estimate, keep
from scaling.runs.rows import FINAL, OK, Row
from scaling.runs.workdir import CONFIG, row_of
from scaling.sweeps.estimates import estimates
from scaling.sweeps.executors import Executor, LocalExecutor
from scaling.sweeps.expand import Trial, expand, only, trials
from scaling.sweeps.prospects import Prospect, check, prospects
from scaling.sweeps.run import Watch, pending, run
from scaling.training.start import build_kernels

INTERRUPTED = 130
ENGINES = LOCAL, RAY = "local", "ray"


def main(argv: Sequence[str]) -> int:
    """Sweep as the command line says; 0 where every trial has a result."""
    arguments, overrides = cli.parse(_parser(), argv)
    made, notes = _trials(arguments.config, overrides)
    made = only(made, _pairs(arguments.only))
    for note in notes:
        print(f"note: {note}")
    if arguments.dry_run:
        return tell(made, arguments)
    if not execute(made, arguments):
        return INTERRUPTED
    return conclude(made, arguments.workdir)


def execute(made: Sequence[Trial], arguments: argparse.Namespace) -> bool:
    """Run the trials that have no row, as `add_arguments` says; False where that was interrupted.

    ValueError, before anything is started or written, where one has no network or the first has no data.
    """
    contents = store.scan(arguments.workdir)
    todo = pending(made, contents, arguments.retry)
    check(todo)
    _announce(made, todo, contents, arguments)
    if not todo:
        return True
    build_kernels()
    try:
        with stoppable():
            say, watch = shown(sys.stdout)
            report = _lines(len(todo), say)
            executor, retry = executor_of(arguments), arguments.retry
            run(todo, arguments.workdir, executor, train_command, report, retry, watch)
    except KeyboardInterrupt:
        left = len(pending(made, store.scan(arguments.workdir)))
        print(f"interrupted with {left} of {len(made)} trials to go: the same command goes on from here.")
        return False
    return True


def tell(made: Sequence[Trial], arguments: argparse.Namespace) -> int:
    """Print what each trial would be and take, and keep that for its row; 1 where one is refused."""
    contents = store.scan(arguments.workdir)
    todo = {trial.spec.id for trial in pending(made, contents, arguments.retry)}
    print(
        f"{len(made)} trials in {arguments.workdir}: {len(made) - len(todo)} have rows, {len(todo)} to run; a dry run, "
        "which starts none",
        flush=True,
    )
    build_kernels(devices=True)
    found = list(prospects(made))
    able = {one.trial.spec.id: one.plan for one in found if one.plan and one.trial.spec.id in todo}
    known = dict(zip(able, estimates(list(able.values()))))
    for one in found:
        key, row = one.trial.spec.id, row_of(contents.rows, one.trial.spec)
        print(f"{key}  {_outlook(one, known.get(key), row)}  {one.trial.label}")
        if key in known:
            keep(known[key], arguments.workdir / key)
    seconds = sum(took.seconds for took in known.values()) / arguments.workers
    print(
        f"in all about {duration(seconds)} with --workers={arguments.workers}, by steps measured here; each run's row "
        "will hold its estimate"
    )
    return 1 if any(one.plan is None for one in found) else 0


def _outlook(one: Prospect, took: Estimate | None, row: Row | None) -> str:
    """A trial's size and length, and what it took or is estimated to take; or why it is refused."""
    if one.plan is None:
        return f"refused: {one.refusal}"
    cost, counted = one.plan.cost, f"at {one.plan.arch.resolution} px"
    counted = f"{si(cost.params)} params  {si(cost.macs)} MACs  {counted}  {one.plan.total_steps} steps"
    if took is None:
        return f"{counted}  has a row: {row.status if row else 'unreadable'}"
    return f"{counted}  about {duration(took.seconds)}  about {si(took.memory)}B"


def _trials(config_path: str, overrides: Mapping[str, str]) -> tuple[list[Trial], list[str]]:
    """The trials of a config file; ValueError where it has no sweep, or a flag fights with it."""
    base = cli.load_spec(config_path, overrides)
    get_sweep = cli.read_function(config_path, "get_sweep")
    if get_sweep is None:
        raise ValueError(
            f"--config={config_path} has no get_sweep(): add one that returns a list of overrides or a dict of "
            "grid, zip and seeds, or train this one config with experiments.train."
        )
    sweep = expand(get_sweep())
    if fights := sorted(overrides.keys() & {key for trial in sweep for key in trial}):
        raise ValueError(
            f"--config.{fights[0]}={overrides[fights[0]]} is set by get_sweep() too, which would win: pick trials by "
            f"--only={fights[0]}=VALUE, or take it out of get_sweep() in {config_path}."
        )
    return trials(base, sweep)


def _pairs(told: Sequence[str]) -> dict[str, str]:
    """`--only` as {"section.key": text}; ValueError for what is not KEY=VALUE."""
    if wrong := [text for text in told if "=" not in text]:
        raise ValueError(f"--only={wrong[0]} names no value: write --only=model.phi=0.0, say.")
    return {key: value for key, _, value in (text.partition("=") for text in told)}


def _parser() -> argparse.ArgumentParser:
    made = add_arguments(cli.parser((__doc__ or "").partition("\n")[0]))
    made.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="the trials with this value in their config, e.g. --only=seed=0; several times: with all of them",
    )
    made.add_argument(
        "--dry_run",
        action="store_true",
        help="print each trial's size, steps, estimated time and memory, or why it is refused, and start nothing; the "
        "estimates are kept for the rows",
    )
    return made


def add_arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add what every command that runs trials is told: where, how many at a time, and which again."""
    parser.add_argument(
        "--workers", type=cli.at_least_one, default=1, metavar="N", help="trials at a time (default: 1)"
    )
    parser.add_argument(
        "--engine", choices=ENGINES, default=LOCAL, help="what starts trials: this machine, or a Ray cluster"
    )
    parser.add_argument(
        "--address", metavar="HOST:PORT", help="of a Ray cluster (default: one of this machine)"
    )
    parser.add_argument(
        "--retry", action="store_true", help="run failed, oom, timeout, lost and unreadable rows again"
    )
    return parser


def executor_of(arguments: argparse.Namespace) -> Executor:
    """What starts the processes of trials, as `add_arguments` says."""
    if arguments.engine == RAY:
        from scaling.sweeps.on_ray import RayExecutor

        return RayExecutor(arguments.workers, arguments.address)
    if arguments.address:
        raise ValueError(
            f"--address={arguments.address} is of a Ray cluster: add --engine=ray, or leave it out."
        )
    return LocalExecutor(arguments.workers)


def train_command(directory: Path) -> list[str]:
    """The process of a trial: train what stands in the `config.json` of its directory."""
    config = f"--config={directory / CONFIG}"
    return [sys.executable, "-m", "experiments.train", config, f"--workdir={directory}"]


def _announce(
    made: Sequence[Trial], todo: Sequence[Trial], contents: store.Contents, arguments: argparse.Namespace
) -> None:
    """Say what is there, what is to run, and what in the directory is odd."""
    own = [row for trial in made if (row := row_of(contents.rows, trial.spec))]
    lost = sum(row.status not in FINAL for row in own)
    lost += len(contents.bad.keys() & {trial.spec.id for trial in made})
    print(f"{len(made)} trials in {arguments.workdir}: {len(made) - len(todo)} have rows, {len(todo)} to run")
    if lost and not arguments.retry:
        print(f"note: {lost} of these rows hold no result; --retry runs them again")
    if others := contents.rows.keys() - {row.id for row in own}:
        print(
            f"note: {len(others)} runs in {arguments.workdir} are not among these trials; the report shows them too"
        )
    for problem in contents.bad.values():
        print(f"bad row: {problem}")
    sys.stdout.flush()


def shown(stream: TextIO) -> tuple[Callable[[str], None], Watch | None]:
    """What prints a line, and what shows trials under way: on a terminal a live line each, else nothing."""
    if not stream.isatty():
        return functools.partial(print, file=stream, flush=True), None
    board = Board(stream)
    return board.say, Watcher(board)


def _lines(total: int, say: Callable[[str], None]) -> Callable[[Trial, Row], None]:
    """A reporter that tells one line for each finished trial."""
    count = iter(range(1, total + 1))

    def show(trial: Trial, row: Row) -> None:
        score = f"  {told}" if (told := scored(row)) else ""
        time = "" if row.seconds is None else f"  {row.seconds:.1f} s"
        why = f"  {row.message.splitlines()[0]}" if row.message else ""
        say(f"[{next(count)}/{total}] {row.id} {row.status}{score}{time}  {trial.label}{why}")

    return show


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM stop trials, as KeyboardInterrupt, after a word on what follows."""

    def stop(signum, frame):
        os.write(2, b"stopping: running trials save what they have; once more to stop them at once.\n")
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def conclude(made: Sequence[Trial], workdir: Path) -> int:
    """Write the artefacts, name them, and return the exit code: 0 where every trial has a result."""
    from experiments.report import write

    study = write([workdir], workdir, workdir.resolve().name)
    results = {row.id: row for row in study.rows if row.status == OK}
    lost = [trial for trial in made if row_of(results, trial.spec) is None]
    if lost:
        print(
            f"{len(lost)} of {len(made)} trials have no result; see the page, or log.txt in their directories"
        )
    return 1 if lost else 0


if __name__ == "__main__":
    cli.run_command(main)
