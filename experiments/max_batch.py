"""Find the largest batch that fits, from the compiled program's own account, and prove it by a step.

python -m experiments.max_batch --model=efficientnet_b0 [--resolution=N] [--mode=train|inference]
    [--dtype=bfloat16] [--memory=8GB] [--remat[=0,1]]
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

import jax
import jax.numpy as jnp

import scaling.zoo
from experiments import cli
from scaling.cost.measuring import MODES, Measurement, available_memory, largest_batch, measure
from scaling.models.network import recomputed_stages
from scaling.runs.failures import is_out_of_memory
from scaling.training.start import start

# Of what is available: the rest is for the process itself, so that a machine does not begin to swap.
SHARE = 0.85
SMALLER = 0.9  # the next batch to try, as a part of one that failed
UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def main(argv: Sequence[str]) -> None:
    """Print the largest batch of one network, its bytes and its speed."""
    args = _parser().parse_args(argv)
    arch = scaling.zoo.get(args.model)
    arch = arch if args.resolution is None else arch.replace(resolution=args.resolution)
    options = {"mode": args.mode, "dtype": jnp.dtype(args.dtype), "remat": _remat(args.remat)}
    recomputed_stages(options["remat"], len(arch.stages))
    memory = int(SHARE * available_memory()) if args.memory is None else read_bytes(args.memory)
    start(devices=True)
    batch = largest_batch(arch, memory, **options)
    if batch == 0:
        raise ValueError(
            f"not one image of {arch.name} at {arch.resolution} px fits in {memory:,} bytes: allow more by --memory, "
            "or choose a smaller --resolution, --remat or a smaller model."
        )
    _show(arch, memory, confirm(arch, batch, options))


def confirm(arch: scaling.Arch, batch: int, options: dict) -> Measurement:
    """Run a step of `batch`, or of smaller ones while memory is exhausted; return the measurement."""
    while True:
        try:
            return measure(arch, batch, repeats=1, **options)
        except (jax.errors.JaxRuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if batch == 1:
            raise ValueError(
                f"a step of one image of {arch.name} ran out of memory, though it was computed to fit: free some, "
                "or name less by --memory."
            )
        smaller = max(1, int(SMALLER * batch))
        print(
            f"a step of {batch} ran out of memory, though it was computed to fit: trying {smaller}",
            flush=True,
        )
        batch = smaller


def read_bytes(text: str) -> int:
    """Read "8GB", "512 MiB" or a plain number of bytes."""
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*([a-z]*)", text.strip().lower())
    if not match or match[2] not in UNITS or float(match[1]) <= 0:
        raise ValueError(
            f"--memory={text} must be a number of bytes above 0, such as 8GB, 512MiB or 8000000000."
        )
    return int(float(match[1]) * UNITS[match[2]])


def _remat(text: str) -> bool | tuple[int, ...]:
    """Read --remat: "none", "all", or indices of stages separated by commas."""
    if text in ("none", "all"):
        return text == "all"
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(
            f"--remat={text} must list stages by index, such as --remat=0,1; a bare --remat means all."
        ) from error


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="experiments.max_batch", description="The largest batch that fits.")
    made.add_argument("--model", required=True, help="a zoo name")
    made.add_argument("--resolution", type=int, help="input side in pixels (default: the network's own)")
    made.add_argument("--mode", choices=MODES, default="train", help="the step that must fit (default train)")
    made.add_argument(
        "--dtype", choices=("float32", "bfloat16"), default="float32", help="of the computation"
    )
    made.add_argument(
        "--memory",
        metavar="BYTES",
        help=f"budget, such as 8GB (default: {SHARE:.0%} of what the device or the host has available)".replace(
            "%", "%%"
        ),
    )
    made.add_argument(
        "--remat",
        nargs="?",
        const="all",
        default="none",
        metavar="STAGES",
        help="recompute all stages, or these",
    )
    return made


def _show(arch: scaling.Arch, memory: int, found: Measurement) -> None:
    print(f"model: {arch.name} at {arch.resolution} px, {found.mode}, {found.device_kind}")
    print(f"largest batch: {found.batch}")
    print(f"memory: {found.memory:,} bytes of {memory:,}")
    print(f"images/s: {found.images_per_second:.1f} (one step of {found.step_ms:.1f} ms)", flush=True)


if __name__ == "__main__":
    cli.run_command(main)
