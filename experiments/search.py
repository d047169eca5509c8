"""Search an architecture: `python -m experiments.search --config=configs/x.py --workdir=runs/x`.

The best networks are then trained as `config.final` says, each by every seed. Run it again to go on after an
interruption, or with a larger `--config.evaluations` to search on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments import cli, sweep
from scaling.runs import store
from scaling.runs.workdir import check_owner, claim
from scaling.training import Interrupted, compilation_cache
from scaling.training.allocator import keep_memory
from search.core.space import Space
from search.reports.build import build
from search.runs import outcome
from search.runs.assemble import assemble
from search.runs.history import History, Record
from search.runs.run import run
from search.runs.spec import FREE, SearchSpec
from search.runs.workdir import BEST, FINAL, GENOTYPE


def main(argv: Sequence[str]) -> int:
    """Search as the command line says; return the exit code."""
    arguments, overrides = cli.parse(
        sweep.add_arguments(cli.parser((__doc__ or "").partition("\n")[0])), argv
    )
    spec = cli.load_spec(arguments.config, overrides, SearchSpec, FREE)
    compilation_cache.enable()
    keep_memory()
    with store.lock(arguments.workdir):
        try:
            space, records = search(spec, arguments.workdir)
            code = train_best(spec, space, records, arguments)
        except Interrupted as stopped:
            print(f"{stopped}\nthe same command goes on with the search.", file=sys.stderr)
            return stopped.exit_code
    for path in build([arguments.workdir], arguments.workdir, arguments.workdir.resolve().name).values():
        print(path)
    return code


def search(spec: SearchSpec, workdir: Path) -> tuple[Space, list[Record]]:
    """Search, or search on, in `workdir`, and write the best network; return the space and all records."""
    check_owner(workdir, spec)
    parts, history = assemble(spec, workdir), History(workdir)
    claim(workdir, spec)
    known = len(history.records)
    print(f"{parts.space.name}: {parts.space.size:,} points; {known} of {spec.evaluations} evaluated")
    records = run(
        parts, spec.evaluations, spec.seed, history, _line(spec.evaluations, bool(spec.strategy.widths))
    )
    (found,) = outcome.best(records, 1)
    outcome.write_best(spec, parts.space, found, workdir)
    print(f"best: {found.name}  rewards {found.rewards}; {workdir / BEST / GENOTYPE}")
    return parts.space, records


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


def _line(total: int, halved: bool) -> Callable[[Record, float], None]:
    """A reporter of one line for each evaluation, with the best reward so far."""
    best = -float("inf")

    def show(record: Record, seconds: float) -> None:
        nonlocal best
        reward = next(iter(record.rewards))
        best = max(best, reward if reward is not None else best)
        told = "no reward" if reward is None else "  ".join(f"{r:.5g}" for r in record.rewards)
        how = "cached" if record.cached else f"{seconds:.1f} s"
        rung = f"  at rung {record.rung}" if halved else ""
        why = f"  {record.message.splitlines()[0]}" if record.message else ""
        print(
            f"[{record.index + 1}/{total}] {record.status}  {told}  best {best:.5g}  {how}  {record.name}{rung}{why}",
            flush=True,
        )

    return show


if __name__ == "__main__":
    cli.run_command(main)
