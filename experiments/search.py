"""Search an architecture: `python -m experiments.search --config=configs/x.py --workdir=runs/x`.

Run it again to go on after an interruption, or with a larger `--config.evaluations` to search on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments import cli
from scaling.border import override
from search.spec import FREE, SearchSpec


def main(argv: Sequence[str]) -> int:
    """Search as the command line says; return the exit code."""
    arguments, overrides = cli.parse(cli.parser((__doc__ or "").partition("\n")[0]), argv)
    config = SearchSpec.from_config(cli.read_config(arguments.config)).to_dict()
    spec = SearchSpec.from_config(override(config, overrides, FREE))
    from scaling.sweeps import store
    from scaling.training import Interrupted, compilation_cache
    from scaling.training.allocator import keep_memory

    compilation_cache.enable()
    keep_memory()
    with store.lock(arguments.workdir):
        try:
            search(spec, arguments.workdir)
        except Interrupted as stopped:
            print(f"{stopped}\nthe same command goes on with the search.", file=sys.stderr)
            return stopped.exit_code
    return 0


def search(spec: SearchSpec, workdir: Path) -> None:
    """Search, or search on, in `workdir`, and write what was found."""
    from scaling.training.workdir import check_owner, claim
    from search import outcome
    from search.assemble import assemble
    from search.history import History
    from search.run import run

    check_owner(workdir, spec)
    parts, history = assemble(spec, workdir), History(workdir)
    claim(workdir, spec)
    print(
        f"{parts.space.name}: {parts.space.size:,} points; {len(history.records)} of {spec.evaluations} evaluated"
    )
    records = run(parts, spec.evaluations, spec.seed, history, _line(spec.evaluations))
    compared = outcome.contenders(spec, records)
    (found,) = outcome.best(compared, 1)
    outcome.write_best(spec, parts.space, found, workdir)
    print(f"best: {found.name}  rewards {found.rewards}; {workdir / outcome.BEST / outcome.GENOTYPE}")


def _line(total: int) -> Callable:
    """A reporter of one line for each evaluation, with the best reward so far."""
    best = -float("inf")

    def show(record, seconds: float) -> None:
        nonlocal best
        reward = next(iter(record.rewards))
        best = max(best, reward if reward is not None else best)
        told = "no reward" if reward is None else "  ".join(f"{r:.5g}" for r in record.rewards)
        how = "cached" if record.cached else f"{seconds:.1f} s"
        why = f"  {record.message.splitlines()[0]}" if record.message else ""
        print(
            f"[{record.index + 1}/{total}] {record.status}  {told}  best {best:.5g}  {how}  {record.name}{why}",
            flush=True,
        )

    return show


if __name__ == "__main__":
    cli.run_command(main)
