"""Deep Compression of a run: python -m experiments.compress --run=DIR --out=DIR [--density=0.45 --bits=6]

Prunes the smallest weights in rounds, trains on after each with the pruned ones held at 0, shares values by
k-means and codes them by Huffman. Writes plain.safetensors and compressed.safetensors, which scaling.load
and every command that takes weights read, and compression.md, compression.json with sizes and accuracies.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments import cli
from experiments.evaluate import open_split, probabilities, read_spec
from scaling.border.files import write_atomically
from scaling.laws.proportion import wilson
from scaling.runs.spec import RunSpec


def main(argv: Sequence[str]) -> None:
    """Prune, train on, quantise, write; score before and after on the run's test split."""
    arguments = _parser().parse_args(argv)
    import scaling
    from scaling.training.export import trained
    from scaling.training.start import start
    from scaling.weights.pruning import density_of

    spec = read_spec(arguments)
    start(devices=True)
    weights, _ = trained(arguments.run)
    split, _ = open_split(spec, weights, None)
    scored = lambda told: _accuracy(probabilities(spec, told, split), np.asarray(split.labels))
    pruned = _pruned(spec, weights, arguments)
    plain, small = (arguments.out / f"{name}.safetensors" for name in ("plain", "compressed"))
    scaling.save(plain, *weights)
    scaling.save(small, *pruned, bits=arguments.bits)
    found = {
        "network": weights.arch.name,
        "run": spec.id,
        "density": density_of(pruned.variables),
        "bits": arguments.bits,
        "scope": arguments.scope,
        "images": len(split),
        "bytes": {"plain": plain.stat().st_size, "compressed": small.stat().st_size},
        "top1": {
            "plain": scored(weights),
            "pruned": scored(pruned),
            "compressed": scored(scaling.load(small)),
        },
    }
    text = to_markdown(found)
    write_atomically(arguments.out / "compression.json", json.dumps(found, indent=2) + "\n")
    write_atomically(arguments.out / "compression.md", text)
    print(text, end="")


def _pruned(spec: RunSpec, weights: Any, arguments: argparse.Namespace) -> Any:
    """Return the weights pruned to the density, after training on in as many rounds."""
    import scaling
    from scaling.training.export import trained
    from scaling.training.loop import run
    from scaling.weights.pruning import prune, schedule

    for i, density in enumerate(schedule(arguments.density, arguments.rounds), start=1):
        cut = arguments.out / f"round_{i}.safetensors"
        cut.parent.mkdir(parents=True, exist_ok=True)
        scaling.save(cut, weights.arch, prune(weights.variables, density, arguments.scope))
        tuned = spec.revised(
            {
                "model.init": str(cut),
                "optimizer.keep_zeros": True,
                "optimizer.lr": arguments.lr or spec.optimizer.lr / 2,
                "schedule.warmup": "0 steps",
                "train.duration": arguments.duration,
            }
        )
        run(tuned, arguments.out / f"round_{i}")
        weights = weights._replace(variables=trained(arguments.out / f"round_{i}")[0].variables)
    return weights


def _accuracy(shares_nk: np.ndarray, labels_n: np.ndarray) -> dict[str, float]:
    """The share that is right, with its interval."""
    share = float(np.mean(shares_nk.argmax(-1) == labels_n))
    low, high = wilson(share, len(labels_n))
    return {"mean": share, "low": low, "high": high}


def to_markdown(found: Mapping[str, Any]) -> str:
    """A line a stage: bytes on disk, and top-1 with its interval."""
    sizes, tops = found["bytes"], found["top1"]
    smaller = sizes["plain"] / sizes["compressed"]
    lost = tops["compressed"]["mean"] - tops["plain"]["mean"]
    lines = [
        f"{found['network']}, run {found['run']}: {smaller:.1f} times smaller, {100 * lost:+.2f} points.",
        f"{100 * found['density']:.1f} % of the weights stay, {found['bits']} bits a code.",
        "",
        "| | bytes on disk | top-1 % | 95 % interval |",
        "| --- | --- | --- | --- |",
    ]
    for name, top in tops.items():
        size = f"{sizes[name]:,}" if name in sizes else ""
        interval = f"{100 * top['low']:.2f} to {100 * top['high']:.2f}"
        lines.append(f"| {name} | {size} | {100 * top['mean']:.2f} | {interval} |")
    return "\n".join(lines) + "\n"


def _parser() -> argparse.ArgumentParser:
    from scaling.weights.pruning import GLOBAL, SCOPES

    made = argparse.ArgumentParser(
        prog="experiments.compress", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    made.add_argument("--run", required=True, type=Path, metavar="DIR", help="a finished run's directory")
    made.add_argument("--out", required=True, type=Path, metavar="DIR", help="where everything is written")
    made.add_argument("--data", type=Path, metavar="DIR", help="the run's data, where it lies elsewhere now")
    made.add_argument(
        "--density", type=float, default=0.45, help="share of the weights that stay (default 0.45)"
    )
    made.add_argument(
        "--scope", choices=SCOPES, default=GLOBAL, help="of the share: each layer, or all of them (default)"
    )
    made.add_argument("--rounds", type=int, default=2, help="of pruning and training on (default 2)")
    made.add_argument("--duration", default="3 epochs", help="of each round's training (default 3 epochs)")
    made.add_argument("--lr", type=float, help="of training on (default half of the run's)")
    made.add_argument("--bits", type=int, default=6, help="of a code of a shared value (default 6)")
    return made


if __name__ == "__main__":
    cli.run_command(main)
