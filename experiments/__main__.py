"""Every command by its name: `jax-compound sweep ...`, `python -m experiments sweep ...`."""

from __future__ import annotations

import runpy
import sys
import textwrap
from collections.abc import Sequence

# What each module does that `python -m experiments.NAME` runs.
COMMANDS = {
    "init": "look at your own pictures and write a config that trains on them",
    "train": "train one network",
    "sweep": "run every trial of a config's get_sweep(), then write table, picture and page",
    "coefficients": "train the grid of compound coefficients at phi = 1 and rank them",
    "predict": "name what trained weights see in pictures",
    "evaluate": "score a trained network: intervals, classes, confusions, calibration, worst images",
    "views": "draw what a trained network looks at: maps, occlusion, gradients, Grad-CAM",
    "samples": "draw what a trained generator makes, and score it by a classifier",
    "export": "write trained weights as StableHLO, ONNX or safetensors, and a model card",
    "compress": "prune a trained network, share and code its weights, write a small file that loads",
    "layer_removal": "score a trained network without each of its blocks in turn",
    "report": "write table, picture and page of a study again, from its rows",
    "laws": "fit power laws to runs, compare at equal cost, choose a network for a budget",
    "search": "search an architecture by training candidates, then train the best for good",
    "search_report": "report one search, or several together, from what they left on disk",
    "search_table": "search a table of your own with every strategy",
    "tabulate": "make one table out of searches that asked for every point",
    "pipeline": "search a base, grid its coefficients, scale it, compare it with a known base",
    "profile": "count parameters, MACs and activations of networks; measure them",
    "max_batch": "find the largest batch that fits, and prove it by a step",
    "benchmarks": "measure ours against PyTorch and stock Flax, in alternation",
    "convert": "convert weights between a peer's names and ours, or out of a checkpoint",
    "reproduce": "print published tables beside our own figures",
    "zero_cost": "correlate scores of untrained cells with their accuracy",
    "break_even": "measure from when on a candidate's own program pays",
    "zoo": "print all networks with their counted and published sizes",
    "faults": "try kills, damage, full disks and lost peers, and count what ended as it should",
    "doctor": "say what this machine and installation have, and what stays unused",
    "native": "build the C++ kernels for this machine again, where that failed or they are damaged",
}
INTRODUCTION = """usage: jax-compound COMMAND ...

A command is the same as `python -m experiments.COMMAND ...`; with --help it says what it takes.
"""


def main() -> None:
    """Run the command that the first word names; without one, or with --help, list them all."""
    if sys.argv[1:2] in ([], ["-h"], ["--help"]):
        width = max(map(len, COMMANDS))
        listed = "\n".join(f"{name:{width}}  {what}" for name, what in COMMANDS.items())
        print(f"{INTRODUCTION}\n{textwrap.indent(listed, '  ')}")
        return
    from experiments import cli  # loads JAX, which the list above does without

    cli.run_command(run)


def run(argv: Sequence[str]) -> None:
    """Run a command's module as `python -m` would; ValueError for a name that is none."""
    from scaling.border.typed import nearest

    name, *rest = argv
    if name not in COMMANDS:
        close = nearest(name, COMMANDS) or "."
        raise ValueError(f"{name!r} is not a command{close} `jax-compound` lists them all.")
    sys.argv[1:] = rest
    runpy.run_module(f"experiments.{name}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
