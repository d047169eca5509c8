"""Convert weights: a peer's .safetensors to ours and back, or a run's checkpoint to either.

python -m experiments.convert --from=peer.safetensors --model=resnet18 --to=ours.safetensors
python -m experiments.convert --from=ours.safetensors --to=peer.safetensors
python -m experiments.convert --from=runs/x --to=peer.safetensors [--weights=ema|raw] [--trust_code]

`--from` may also be a directory with timm's config.json and model.safetensors. `--names` says whose
names are written; by default the peer's where ours are read (or a run), and ours otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

import scaling
from experiments import cli
from scaling.runs.workdir import NETWORK
from scaling.training.export import trained
from scaling.weights.files import NAMES, SCHEMES, Weights, read_metadata
from scaling.weights.hub import CONFIG
from scaling.weights.torch import to_paths


def main(argv: Sequence[str]) -> None:
    """Read, convert, write, and print what was written."""
    args = _parser().parse_args(argv)
    if args.to.suffix != ".safetensors" or not args.to.parent.is_dir():
        raise ValueError(f"--to={args.to} must be a .safetensors file in a directory that exists.")
    if args.to.exists():
        raise ValueError(f"--to={args.to} exists: delete it, or choose another name. Nothing was changed.")
    weights, names = read(args)
    scaling.save(args.to, *weights, names=names)
    show(weights, names, args.to)


def read(args: argparse.Namespace) -> tuple[Weights, str]:
    """Return the weights that `--from` holds, and whose names are to be written."""
    source: Path = args.source
    if (source / NETWORK).is_file():
        _refuse(args, ("model", "num_classes"), f"{source} is a run, which states its network")
        weights, step = trained(source, args.weights, args.trust_code)
        print(f"checkpoint: step {step}", flush=True)
        return weights, args.names or "peer"
    _refuse(args, ("weights",), f"{source} is not a run, so it holds one set of weights")
    if source.is_dir():
        _refuse(args, ("model", "num_classes"), f"{source / CONFIG} states its network")
        return scaling.from_pretrained(source), args.names or "ours"
    ours = read_metadata(source).get(NAMES) == "ours"
    return scaling.load(source, _arch(args), args.trust_code), args.names or ("peer" if ours else "ours")


def show(weights: Weights, names: str, path: Path) -> None:
    """Print the network, its parameters, and a hash of its variables that no naming changes."""
    arch = weights.arch
    params, statistics = (
        sum(leaf.size for leaf in jax.tree.leaves(weights.variables.get(name, {})))
        for name in ("params", "batch_stats")
    )
    print(f"model: {arch.name} at {arch.resolution} px, {arch.num_classes} classes")
    print(f"params: {params:,} and {statistics:,} batch statistics")
    print(f"preprocessing: {weights.preprocessing or 'not known'}")
    print(f"sha256 of the variables: {digest(weights.variables)}")
    print(f"names: {names}")
    print(f"written: {path}", flush=True)


def digest(variables: Mapping[str, Any]) -> str:
    """SHA-256 of all arrays as float32 with their paths and shapes, in the order of the paths."""
    found = hashlib.sha256()
    for name, array in sorted(to_paths(variables).items()):
        found.update(f"{name}{array.shape}".encode())
        found.update(np.asarray(array, "<f4", order="C").tobytes())
    return found.hexdigest()


def _arch(args: argparse.Namespace) -> scaling.Arch | None:
    """The network that the command line names, or None: the file states it."""
    if args.model is None:
        _refuse(args, ("num_classes",), "without --model the file's own network is taken")
        return None
    arch = scaling.get(args.model)
    return arch if args.num_classes is None else arch.replace(num_classes=args.num_classes)


def _refuse(args: argparse.Namespace, options: Sequence[str], why: str) -> None:
    for option in options:
        if getattr(args, option) is not None:
            raise ValueError(
                f"--{option}={getattr(args, option)} has no use here, since {why}: leave it out."
            )


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.convert",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--from", dest="source", required=True, type=Path, metavar="PATH", help="a file or a directory"
    )
    made.add_argument("--to", required=True, type=Path, metavar="FILE", help="a new .safetensors file")
    made.add_argument("--model", metavar="NAME", help="zoo name, for a peer's file: it does not state it")
    made.add_argument("--num_classes", type=int, help="of the file, where they are not the zoo network's")
    made.add_argument("--names", choices=tuple(SCHEMES), help="whose names are written")
    made.add_argument("--weights", choices=("ema", "raw"), help="of a run (default: ema where it has them)")
    made.add_argument(
        "--trust_code",
        action="store_true",
        help="run the .py file that the network of `--from` is a function of",
    )
    return made


if __name__ == "__main__":
    cli.run_command(main)
