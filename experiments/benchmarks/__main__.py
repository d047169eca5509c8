"""Measure ours against peers in alternation, store the rows, make the table.

python -m experiments.benchmarks [--only=operators,steps,dense,...] [--models=a,b]
python -m experiments.benchmarks --quick [--out=DIR]     a few small cases, stored only with --out
python -m experiments.benchmarks --table [--out=DIR]     the table again, from the stored rows
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

import scaling.zoo
from experiments import cli
from experiments.benchmarks import rows as stored
from experiments.benchmarks.contenders import Process
from experiments.benchmarks.plan import Machine, Options, Skipped
from experiments.benchmarks.races import Races
from experiments.benchmarks.sections import SECTIONS, STEPS
from experiments.benchmarks.table import NO_GPU, line, render
from experiments.benchmarks.tasks import Job
from scaling.border.files import write_atomically
from scaling.border.typed import nearest
from scaling.training import environment
from scaling.training.start import build_kernels

OUT = Path("experiments/results/benchmarks")
PEERS = ("torch", "torchvision", "timm", "effdet", "pillow", "grain")


def main(argv: Sequence[str]) -> None:
    args = _parser().parse_args(argv)
    if args.table:
        print(write_table(args.out or OUT), end="")
        return
    options = read_options(args)
    build_kernels()
    jax.config.update("jax_platforms", "cpu")  # the driver counts only; workers have the device
    machine = find_machine(options.limit)
    measure(options, machine)


def measure(options: Options, machine: Machine) -> None:
    """Run the sections, print and store each group's rows as soon as they are known."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    print(busy(machine, load) + ("" if machine.has_gpu else NO_GPU), end="")
    races = Races(options, machine, origin(machine) | {"load": round(load, 2)})
    made: dict[str, list[stored.Measurement]] = {name: [] for name in options.only}
    for section in options.only:
        print(f"\n{section}", flush=True)
        for group in SECTIONS[section](options, machine):
            if isinstance(group, Skipped):
                print(group.line, flush=True)
                continue
            for row in races.run(group):
                print(line(row), flush=True)
                made[section].append(row)
            if options.out is not None:
                stored.merge(options.out, section, made[section])
    if options.out is None:
        print("\n" + render(made), end="")
    else:
        write_table(options.out)
        print(f"\nrows and table: {options.out}")


def busy(machine: Machine, load: float) -> str:
    """Warn where other work wants the cores: contenders of many threads suffer most."""
    if load <= machine.cores / 2:
        return ""
    return (
        f"warning: the load is {load:.1f} on {machine.cores} cores before anything is measured. Times will be "
        "wrong, and most so for contenders whose threads wait for each other: measure on a quiet machine.\n"
    )


def write_table(out: Path) -> str:
    """Make table.md from the rows in `out`; ValueError where there are none."""
    found = {name: rows for name in SECTIONS if (rows := stored.read(out, name))}
    if not found:
        raise ValueError(f"--out={out} holds no rows: measure first, python -m experiments.benchmarks.")
    text = render(found)
    write_atomically(out / "table.md", text)
    return text


def read_options(args: argparse.Namespace) -> Options:
    """Check the command line; ValueError or KeyError naming the nearest section or model."""
    only, models = _names(args.only), _names(args.models)
    for name in only:
        if name not in SECTIONS:
            raise ValueError(
                f"--only={name} is no section{nearest(name, SECTIONS)} Known: {', '.join(SECTIONS)}."
            )
    for name in models:
        if name not in STEPS:
            scaling.zoo.get(name)
    if args.repeats is not None and args.repeats < 1:
        raise ValueError(f"--repeats={args.repeats} must be at least 1.")
    repeats = args.repeats or (3 if args.quick else 7)
    out = args.out or (None if args.quick else OUT)
    return Options(only or tuple(SECTIONS), models, repeats, args.quick, out, args.data, args.limit)


def find_machine(limit: float) -> Machine:
    """Ask a worker what it finds, so that this process holds no device."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    probe = Process(Job("ours", (), cores), limit)
    try:
        found = probe.device()
    finally:
        probe.close()
    return Machine(processor=processor(), cores=cores, **found)


def processor() -> str:
    """Return the processor's name, as Linux gives it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [text.partition(":")[2].strip() for text in lines if text.startswith("model name")]
    return names[0] if names else platform.machine()


def origin(machine: Machine) -> dict[str, Any]:
    """Return what every row says of where and when it was made."""
    versions = environment.versions()
    for name in PEERS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if machine.backend != "cpu":
        versions.pop("kernels", None)  # of this process, not of the workers
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    revision = environment.git_revision()
    return {**vars(machine), "versions": versions, "git_revision": revision, "date": today}


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.benchmarks", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    made.add_argument(
        "--only", default="", help=f"sections separated by commas (default: {','.join(SECTIONS)})"
    )
    made.add_argument("--models", default="", help="zoo names separated by commas (default: each section's)")
    made.add_argument("--repeats", type=int, help="counted rounds (default 7, with --quick 3)")
    made.add_argument("--quick", action="store_true", help="few, small cases: does it work, not how fast")
    made.add_argument("--out", type=Path, metavar="DIR", help=f"where rows are kept (default {OUT})")
    made.add_argument("--data", default="", metavar="DIR", help="photos for the loader: folder or archive")
    made.add_argument("--limit", type=float, default=600.0, help="seconds one command may take (default 600)")
    made.add_argument("--table", action="store_true", help="only make table.md again from the rows")
    return made


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


if __name__ == "__main__":
    cli.run_command(main)
