"""Print what networks cost: counted, per layer, and measured on the device in use.

python -m experiments.profile --model=efficientnet_b0,resnet50 [--layers] [--measure]
python -m experiments.profile --model=all --format=csv
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Iterator, Sequence

import scaling.zoo
from experiments import cli
from scaling.arch.arch import Arch
from scaling.cost.counting import Cost, count
from scaling.cost.measuring import measure
from scaling.reports.markdown import table_line
from scaling.training import compilation_cache
from scaling.training.start import start

COUNTED = (
    "model",
    "family",
    "resolution",
    "params",
    "params with BN statistics",
    "MACs",
    "FLOPs (2 x MACs)",
    "activations",
    "receptive field (px)",
)
MEASURED = (
    "batch",
    "train step (ms)",
    "train compile (s)",
    "train memory (bytes)",
    "inference step (ms)",
    "inference compile (s)",
    "inference memory (bytes)",
    "device",
)
FOUND = (
    "note: programs compiled earlier were found in the compilation cache, so compile times are those of "
    "loading them; JAX_ENABLE_COMPILATION_CACHE=0 compiles them anew"
)
LAYERS = ("model", "layer", "kind", "output shape", "params", "MACs", "activations")


def main(argv: Sequence[str]) -> None:
    args = _parser().parse_args(argv)
    if args.batch < 1:
        raise ValueError(f"--batch={args.batch} must be at least 1.")
    archs = [_arch(name, args.resolution) for name in _names(args.model)]
    line = {"markdown": table_line, "csv": _csv}[args.format]
    if args.layers:
        _print_table(LAYERS, (row for arch in archs for row in _layer_rows(arch)), line)
        print(flush=True)
    columns, hits = COUNTED, compilation_cache.count_hits()
    if args.measure:
        columns += MEASURED
        start(devices=True)
    _print_table(columns, (_row(arch, args) for arch in archs), line)
    if hits():
        print(FOUND, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="experiments.profile", description="What networks cost.")
    made.add_argument("--model", required=True, help="zoo names separated by commas, or all")
    made.add_argument("--resolution", type=int, help="input side in pixels (default: each network's own)")
    made.add_argument("--layers", action="store_true", help="one row a layer before the totals")
    made.add_argument("--measure", action="store_true", help="compile and time a train and an inference step")
    made.add_argument("--batch", type=int, default=8, help="images a measured step (default 8)")
    made.add_argument(
        "--format", choices=("markdown", "csv"), default="markdown", help="of the tables (default markdown)"
    )
    return made


def _names(text: str) -> list[str]:
    """Read --model: "all" or names separated by commas."""
    return scaling.zoo.names() if text == "all" else [name.strip() for name in text.split(",")]


def _arch(name: str, resolution: int | None) -> Arch:
    arch = scaling.zoo.get(name)
    return arch if resolution is None else arch.replace(resolution=resolution)


def _row(arch: Arch, args: argparse.Namespace) -> tuple:
    counted = _counted(arch, count(arch))
    return counted + _measured(arch, args.batch) if args.measure else counted


def _counted(arch: Arch, cost: Cost) -> tuple:
    sizes = (cost.params, cost.params_with_bn_stats, cost.macs, cost.flops, cost.activations)
    return (arch.name, arch.family, arch.resolution, *sizes, cost.receptive_field)


def _measured(arch: Arch, batch: int) -> tuple:
    runs = [measure(arch, batch, mode) for mode in ("train", "inference")]
    figures = [(f"{run.step_ms:.2f}", f"{run.compile_seconds:.2f}", run.memory) for run in runs]
    return (batch, *figures[0], *figures[1], runs[0].device_kind)


def _layer_rows(arch: Arch) -> Iterator[tuple]:
    for layer in count(arch, layers=True).layers:
        shape = "x".join(map(str, layer.output_shape))
        yield arch.name, layer.name, layer.kind, shape, layer.params, layer.macs, layer.activations


def _print_table(columns: Sequence[str], rows, line) -> None:
    """Print each row as soon as it is known."""
    print(line(columns), flush=True)
    if line is table_line:
        print("|" + " --- |" * len(columns))
    for row in rows:
        print(line(row), flush=True)


def _csv(cells: Sequence) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


if __name__ == "__main__":
    cli.run_command(main)
