"""Fit laws to runs, test them on held-out sizes, compare series at equal cost, choose a network for a budget.

python -m experiments.laws --workdir=experiments/results/fashion_mnist
python -m experiments.laws --workdir=runs/a --workdir=runs/b --axis=train_flops --budget=1e12,2e12 --out=DIR
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from experiments import cli
from scaling.border.files import write_atomically
from scaling.reports.build import read_study
from scaling.reports.curve import AXES, law_points
from scaling.reports.law_tables import Curve, curves, to_markdown

MARKDOWN = "laws.md"


def main(argv: Sequence[str]) -> None:
    arguments = _parser().parse_args(argv)
    if arguments.holdout < 1:
        raise ValueError(f"--holdout={arguments.holdout} must be 1 or more: the number of largest sizes.")
    budgets = _budgets(arguments.budget)
    study = read_study(arguments.workdir)
    for problem in study.problems:
        print(f"bad row, left out: {problem}")
    found = curves(study, arguments.axis)
    _check(found, arguments.axis)
    text = to_markdown(found, arguments.axis, arguments.holdout, budgets, arguments.extrapolate)
    print(text)
    if arguments.out is not None:
        title = ", ".join(source.resolve().name for source in arguments.workdir)
        write_atomically(arguments.out / MARKDOWN, f"# {title}\n\n{text}")
        print(f"written: {arguments.out / MARKDOWN}")


def _budgets(text: str) -> list[float]:
    """The numbers of "1e7,2e7"; ValueError for what is not one or not above 0."""
    found = []
    for word in filter(None, text.split(",")):
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"--budget={text}: {word!r} is not a number above 0: write 1e7,2.5e7.")
        found.append(value)
    return found


def _check(found: Sequence[Curve], axis: str) -> None:
    """Raise ValueError where no series has two sizes along the axis."""
    sizes = {curve.name: len(set(law_points(curve.points, axis)[0])) for curve in found}
    if not sizes:
        raise ValueError("none of these runs finished with a score: there is nothing to fit.")
    if max(sizes.values()) < 2:
        raise ValueError(
            f"--axis={axis}: a law takes two sizes or more, and the {len(sizes)} series of these runs have "
            f"{max(sizes.values())} at most: choose another of {', '.join(AXES)}, or train more sizes."
        )


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.laws", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    made.add_argument(
        "--workdir",
        action="append",
        required=True,
        type=Path,
        metavar="DIR",
        help="runs, or a committed rows.csv; may be repeated",
    )
    made.add_argument("--axis", choices=tuple(AXES), default="macs", help="the cost (default: macs)")
    made.add_argument(
        "--holdout", type=int, default=1, metavar="N", help="largest sizes held out (default: 1)"
    )
    made.add_argument(
        "--budget",
        default="",
        metavar="X,...",
        help="in the axis's unit (default: three in the shared range)",
    )
    made.add_argument("--extrapolate", action="store_true", help="compare beyond the sizes that were run too")
    made.add_argument("--out", type=Path, metavar="DIR", help=f"where to write {MARKDOWN}")
    return made


if __name__ == "__main__":
    cli.run_command(main)
