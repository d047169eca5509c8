"""What each block of a trained network is worth: python -m experiments.layer_removal --run=DIR

For every block that keeps the shape of its input, the error with that block left out, on a split of the run's
data. Writes removal.csv and removal.png into --out (default: removal/ in the run's directory).
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments import cli
from experiments.evaluate import open_split, probabilities, read_spec
from scaling.border.files import write_atomically
from scaling.laws.proportion import wilson


class Removed(NamedTuple):
    """A network less one block ("": whole), and its error with an interval."""

    block: str
    kind: str
    error: float
    low: float
    high: float


def main(argv: Sequence[str]) -> None:
    """Score the whole network, then without each block; write table and picture."""
    arguments = _parser().parse_args(argv)
    from scaling.training.export import trained
    from scaling.training.start import start
    from scaling.weights.removal import removable, without

    spec = read_spec(arguments)
    weights, step = trained(arguments.run)
    places = removable(weights.arch)
    split, _ = open_split(spec, weights, arguments.split)
    start(devices=True)
    labels_n = np.asarray(split.labels)

    def scored(told: Any, block: str, kind: str) -> Removed:
        wrong = float(np.mean(probabilities(spec, told, split).argmax(-1) != labels_n))
        found = Removed(block, kind, wrong, *wilson(wrong, len(labels_n)))
        print(
            f"{block or 'whole':>8}  {100 * found.low:6.2f} {100 * wrong:6.2f} {100 * found.high:6.2f} %",
            flush=True,
        )
        return found

    rows = [scored(weights, "", "")]
    for place in places:
        arch, variables = without(weights.arch, weights.variables, place)
        kind = type(weights.arch.stages[place.stage].block).__name__
        rows.append(scored(weights._replace(arch=arch, variables=variables), str(place), kind))
    out: Path = arguments.out or arguments.run / "removal"
    write_atomically(out / "removal.csv", as_csv(rows))
    title = f"{weights.arch.name}, step {step}: one block left out"
    write_atomically(out / "removal.png", picture(rows, title, len(labels_n)))
    print(f"table and picture: {out}")


def as_csv(rows: Sequence[Removed]) -> str:
    """A line a block, the whole network first."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(Removed._fields)
    table.writerows((row.block, row.kind, *(f"{value:.6f}" for value in row[2:])) for row in rows)
    return text.getvalue()


def picture(rows: Sequence[Removed], title: str, images: int) -> bytes:
    """The error of each network with its interval, as a .png file; a line at that of the whole."""
    from matplotlib.figure import Figure

    from scaling.reports.figure import dress

    whole, *others = rows
    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes: Any = figure.add_subplot()
    middle = np.array([row.error for row in others])
    around = [middle - [row.low for row in others], [row.high for row in others] - middle]
    axes.errorbar(range(len(others)), 100 * middle, 100 * np.array(around), fmt="o", markersize=4, capsize=2)
    axes.axhline(100 * whole.error, linewidth=1, color="0.5")
    axes.set_xticks(range(len(others)), [row.block for row in others], fontsize=7, rotation=90)
    axes.set_ylim(bottom=0)
    dress(axes, title, f"{images} images, 95 % intervals; line: whole network", "stage.block", "error, %")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return drawn.getvalue()


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.layer_removal", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    made.add_argument("--run", required=True, type=Path, metavar="DIR", help="a run's directory")
    made.add_argument("--data", type=Path, metavar="DIR", help="other data, laid out as the run's own")
    made.add_argument(
        "--split", metavar="NAME", help="a split or a part of one (default: the run's test split)"
    )
    made.add_argument("--out", type=Path, metavar="DIR", help="where both go (default RUN/removal)")
    return made


if __name__ == "__main__":
    cli.run_command(main)
