"""Score NAS-Bench-201 cells without training; correlate the scores with accuracy beside published figures.

python -m experiments.zero_cost --data=DIR --out=experiments/results/search --images=DIR [--cells=725]
python -m experiments.zero_cost --data=DIR --out=experiments/results/search

DIR of --data holds zero_cost_subset.csv.gz, that of --images CIFAR-10 as tensorflow_datasets prepared it.
Scores are added to zero-cost.csv one by one, and those that stand there are not computed again; without
--images only the table, zero-cost.md, is made of them. All are of one batch and seed. The networks are the
benchmark's own: 16 filters, 5 cells, 32 px.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments import cli
from experiments.tables.zero_cost import table
from scaling.runs.rows import OK
from scaling.runs.spec import DataSpec, RunSpec
from scaling.training.start import start
from search.core.evaluation import Evaluation
from search.core.space import read_digits
from search.core.table import Row, need_columns, read_rows
from search.evaluators.zero_cost import BATCH, SCORES, ZeroCost
from search.spaces import nasbench201

SUBSET = "zero_cost_subset.csv.gz"
DRAWN = ("batch", "seed")  # what all scores of a file share
COLUMNS = ("arch", *DRAWN, *SCORES, "seconds")


def main(argv: Sequence[str]) -> None:
    """Score what is not scored yet, then print and write the table."""
    arguments = _parser().parse_args(argv)
    rows = read_rows(arguments.data / SUBSET)
    need_columns(arguments.data / SUBSET, rows, ("space", "dataset", "arch", "val_accuracy"))
    known = [row for row in rows if (row["space"], row["dataset"]) == ("nasbench201", "cifar10")]
    path = arguments.out / "zero-cost.csv"
    if arguments.images is not None:
        _score([row["arch"] for row in known[: arguments.cells]], path, arguments)
    text = table(known, _scored(path, read_rows(path)))
    (arguments.out / "zero-cost.md").write_text(text)
    print(text)


def _score(cells: Sequence[str], path: Path, arguments: argparse.Namespace) -> None:
    """Add a line for each cell that has none; ValueError where those that have one are drawn otherwise."""
    rows = _begun(path)
    for name in DRAWN if rows else ():
        if rows[0][name] != str(asked := getattr(arguments, name)):
            raise ValueError(
                f"--{name}={asked} differs from the {name} of {path}, {rows[0][name]}: give that one, or another --out."
            )
    start(devices=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    done = {row["arch"] for row in rows}
    todo = [cell for cell in cells if cell not in done]
    data = DataSpec("tfds", "cifar10", str(arguments.images), test="")
    evaluator = ZeroCost(nasbench201.SPACE, RunSpec(arguments.seed, data=data), arguments.batch)
    found = evaluator([np.array(read_digits(cell), np.int32) for cell in todo])
    with path.open("a" if done else "w", newline="") as file:
        writer: csv.DictWriter[str] = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not done:
            writer.writeheader()
        for cell, evaluation in zip(todo, found):
            writer.writerow(_row(cell, evaluation, arguments))
            file.flush()


def _begun(path: Path) -> list[Row]:
    """The lines that are scored: none where there is no file, or its header alone."""
    begun = path.exists() and len(path.read_bytes().splitlines()) > 1
    return _scored(path, read_rows(path)) if begun else []


def _scored(path: Path, rows: list[Row]) -> list[Row]:
    """Return the lines of a file; ValueError where they are not of one batch and seed."""
    need_columns(path, rows, COLUMNS)
    for row in rows:
        if any(row[name] != rows[0][name] for name in DRAWN):
            raise ValueError(
                f"{path}, line {row.line}: batch {row['batch']} and seed {row['seed']}, where the first line has "
                f"{rows[0]['batch']} and {rows[0]['seed']}: keep the lines of one batch and seed."
            )
    return rows


def _row(cell: str, evaluation: Evaluation, arguments: argparse.Namespace) -> dict[str, str]:
    """A line of the file; RuntimeError, with what the network failed of, where there are no scores."""
    if evaluation.status != OK:
        raise RuntimeError(f"cell {cell} has status {evaluation.status!r}: {evaluation.message}")
    scores = {name: f"{value:.7g}" for name, value in evaluation.metrics.items()}
    drawn = {name: str(getattr(arguments, name)) for name in DRAWN}
    return {"arch": cell, **drawn, **scores, "seconds": f"{evaluation.cost:.2f}"}


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.zero_cost", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    made.add_argument("--data", type=Path, required=True, metavar="DIR", help=f"where {SUBSET} is")
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the files are written")
    made.add_argument("--images", type=Path, metavar="DIR", help="CIFAR-10; score with it")
    made.add_argument("--cells", type=int, metavar="N", help="score the first N only")
    made.add_argument("--batch", type=int, default=BATCH, metavar="N", help="images")
    made.add_argument("--seed", type=int, default=0, metavar="N", help="of the first weights")
    return made


if __name__ == "__main__":
    cli.run_command(main)
