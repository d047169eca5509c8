"""Try kills, damage, full disks, lost peers and malformed input by seed, and count what ended as it should.

python -m experiments.faults [--only=KIND[,KIND]] [--seed=N] [--scale=0.5]
python -m experiments.faults --quick [--out=DIR]     a few of the quick kinds, stored only with --out

Rows are stored kind by kind, and replace those of the same kinds: a study may be made in parts.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax

from experiments import cli
from experiments.faults import (
    damages,
    kills,
    lost_peers,
    malformed,
    sharing,
    stores,
    surroundings,
    table,
)
from experiments.faults.kind import Kind, Outcome, study
from experiments.faults.lab import PROGRAMS, Lab, environment
from scaling.border.typed import nearest
from scaling.training.environment import git_revision

OUT = Path("experiments/results/faults")
ROOMS = (kills, damages, stores, sharing, surroundings, lost_peers, malformed)
KINDS: dict[str, Kind] = {kind.name: kind for room in ROOMS for kind in room.KINDS}


def main(argv: Sequence[str]) -> int:
    """Try the kinds as the command line says; 0 where all ended as they should."""
    arguments = _parser().parse_args(argv)
    kinds = chosen(arguments.only)
    if not 0 < arguments.scale <= 1:
        raise ValueError(f"--scale={arguments.scale:g} must be above 0 and at most 1, the whole study.")
    made = {"seed": arguments.seed, "scale": arguments.scale, "revision": git_revision() or "unknown"}
    made |= {"processors": os.cpu_count(), "jax": jax.__version__}
    out, rows = arguments.out or (None if arguments.quick else OUT), []
    with tempfile.TemporaryDirectory(prefix="faults-") as root:
        settle(Path(root))
        for outcome in try_all(kinds, Lab(Path(root)), arguments):
            rows += table.rows_of([outcome], made)
            if out is not None:
                table.write(out, rows, list(KINDS))
    print("\n" + table.render(rows), end="")
    if out is not None:
        print(f"\nrows and table: {out}")
    return 1 if any(row["failed"] for row in rows) else 0


def try_all(kinds: Sequence[Kind], lab: Lab, arguments: argparse.Namespace) -> Iterator[Outcome]:
    """Try each kind, and tell and give it as soon as it is done."""
    for kind in kinds:
        if calls := kind.calls(arguments.quick, arguments.scale):
            found = study(kind, lab, arguments.seed, calls)
            told = found.note or f"{found.passed} of {found.trials} as they should, {found.seconds:.0f} s"
            print(f"{kind.name}: {told}", flush=True)
            for name, why in found.failed.items():
                print(f"  {name}: {why}", flush=True)
            yield found


def chosen(only: str) -> list[Kind]:
    """The kinds of a list of names, by default all; ValueError naming the nearest for one that is none."""
    names = [name.strip() for name in only.split(",") if name.strip()] or list(KINDS)
    for name in names:
        if name not in KINDS:
            raise ValueError(
                f"--only={name} is no kind of fault{nearest(name, KINDS)} Known: {', '.join(KINDS)}."
            )
    return [KINDS[name] for name in names]


def settle(root: Path) -> None:
    """Have this process compile as those that trials start, and share their programs."""
    os.environ.update(environment(root))
    settings: dict[str, Any] = {
        "jax_platforms": "cpu",
        "jax_num_cpu_devices": 1,
        "jax_disable_most_optimizations": True,
        "jax_compilation_cache_dir": str(root / PROGRAMS),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for name, value in settings.items():
        jax.config.update(name, value)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.faults", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    made.add_argument("--only", default="", metavar="KINDS", help=f"separated by commas: {', '.join(KINDS)}")
    made.add_argument("--seed", type=int, default=0, help="what the faults are drawn from (default 0)")
    made.add_argument("--quick", action="store_true", help="a few faults of the quick kinds, in a minute")
    made.add_argument("--scale", type=float, default=1.0, help="this part of the study's faults (default 1)")
    made.add_argument("--out", type=Path, metavar="DIR", help=f"where rows are kept (default {OUT})")
    return made


if __name__ == "__main__":
    cli.run_command(main)
