"""Measure from how many steps a candidate's own program is quicker than the one that all candidates share.

python -m experiments.break_even --images=DIR [--data=cifar10] [--filters=8] [--cells=1] [--resolution=16]
    [--batch=64] [--points=3] [--candidates=100]

Candidates are NAS-Bench-201 cells drawn at random. DIR holds data as tensorflow_datasets prepared it.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from experiments import cli
from experiments.tables.searches import markdown, row
from scaling.runs.spec import DataSpec, ModelSpec, RunSpec, TrainSpec
from scaling.training.start import start
from search.evaluators.short_training import BreakEven, ShortTraining
from search.spaces import nasbench201

STEPS = (20, 100, 300, 1000)
HEADINGS = ("cell", "compile, all", "step, all", "compile, own", "step, own", *(f"{n} steps" for n in STEPS))
FILTERS, CELLS = 16, 5  # of the benchmark's network


def main(argv: Sequence[str]) -> None:
    """Print a line for each cell, and the mean."""
    arguments = _parser().parse_args(argv)
    start(devices=True)
    evaluator = ShortTraining(nasbench201.SPACE, _spec(arguments), candidates=arguments.candidates)
    print("Seconds. Last columns: seconds a candidate, all by one program | each by its own.\n")
    print(*markdown(HEADINGS), sep="\n")
    found = []
    for key in jax.random.split(jax.random.key(0), arguments.points):
        point = np.asarray(nasbench201.SPACE.sample(key))
        found.append(evaluator.measure(point))
        print(_line("".join(map(str, point)), found[-1], arguments.candidates), flush=True)
    mean = np.mean([dataclasses.astuple(one) for one in found], axis=0).tolist()
    print(_line("mean", BreakEven(*mean), arguments.candidates))


def _line(name: str, found: BreakEven, candidates: int) -> str:
    measured = (f"{seconds:.3f}" for seconds in dataclasses.astuple(found))
    ways = (tuple(found.seconds(way, n, candidates) for way in (True, False)) for n in STEPS)
    return row(name, *measured, *(f"{shared:.1f} | {own:.1f}" for shared, own in ways))


def _spec(arguments: argparse.Namespace) -> RunSpec:
    model = ModelSpec(
        base_width=arguments.filters / FILTERS,
        base_depth=arguments.cells / CELLS,
        base_resolution=arguments.resolution,
    )
    data = DataSpec("tfds", arguments.data, str(arguments.images), test="")
    return RunSpec(model=model, data=data, train=TrainSpec(arguments.batch, "100 steps"))


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.break_even", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    made.add_argument("--images", type=Path, required=True, metavar="DIR", help="where the data is")
    made.add_argument("--data", default="cifar10", metavar="NAME", help="its name there")
    for name, default, text in (
        ("filters", 8, "of the first stage"),
        ("cells", 1, "a stage"),
        ("resolution", 16, "in pixels"),
        ("batch", 64, "images a step"),
        ("points", 3, "cells to measure"),
        ("candidates", 100, "over how many one compilation is spread"),
    ):
        made.add_argument(f"--{name}", type=int, default=default, metavar="N", help=text)
    return made


if __name__ == "__main__":
    cli.run_command(main)
