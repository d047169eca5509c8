"""What trained weights see in pictures: python -m experiments.predict --run=DIR IMAGE...

The weights are a run's (--run) or a file that scaling.save wrote (--weights); each IMAGE is a file, or a
folder of which all pictures are read. Prints the likeliest classes; --csv=FILE writes them as a table.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments import cli
from scaling.border.files import write_atomically
from scaling.data.photos import SUFFIXES

Found = tuple[str, list[tuple[str, float]]]  # a picture's path, its likeliest classes with probabilities


def main(argv: Sequence[str]) -> int:
    """Predict every picture; return 1 where some could not be read."""
    arguments = _parser().parse_args(argv)
    from scaling.training.start import start

    paths = pictures(arguments.images)
    weights = load_weights(arguments)
    start(devices=True)
    found, problems = [], []
    for path, line in predicted(weights, paths, arguments.top, problems):
        found.append((path, line))
        print(f"{path}: " + ", ".join(f"{name} {100 * share:.1f} %" for name, share in line), flush=True)
    for problem in problems:
        print(f"left out: {problem}")
    if arguments.csv:
        write_atomically(arguments.csv, as_csv(found))
        print(f"{len(found)} predictions: {arguments.csv}")
    return 1 if problems else 0


def pictures(given: Sequence[Path]) -> list[Path]:
    """Return the files, folders replaced by their pictures; ValueError where one is not there or empty."""
    paths: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            if not inside:
                raise ValueError(f"{path} holds no file ending in {', '.join(SUFFIXES)}.")
            paths += inside
        elif path.is_file():
            paths.append(path)
        else:
            raise ValueError(f"{path} does not exist: give pictures, or folders with pictures.")
    return paths


def load_weights(arguments: argparse.Namespace) -> Any:
    """Return the weights that the command line names."""
    import scaling
    from scaling.training.export import trained

    if arguments.run is not None:
        return trained(arguments.run, trust_code=arguments.trust_code)[0]
    return scaling.load(arguments.weights, trust_code=arguments.trust_code)


def predicted(weights: Any, paths: Sequence[Path], top: int, problems: list[str]) -> Iterator[Found]:
    """Yield the `top` classes of each picture; add a line to `problems` for one that cannot be read."""
    from scaling.weights.predict import predictions

    names = weights.classes or [str(i) for i in range(weights.arch.num_classes)]
    read: list[Path] = []

    def opened() -> Iterator[np.ndarray]:
        for path in paths:
            try:
                image = open_picture(path, len(weights.preprocessing.mean) if weights.preprocessing else 3)
            except Exception as error:  # noqa: BLE001 - Pillow raises nearly anything on damaged data
                problems.append(f"{path}: {error}")
                continue
            read.append(path)
            yield image

    for i, shares in enumerate(predictions(weights, opened())):
        best = np.argsort(-shares, kind="stable")[:top]
        yield str(read[i]), [(names[k], float(shares[k])) for k in best]


def open_picture(path: Path, channels: int) -> np.ndarray:
    """Decode a picture at its own size, as training does."""
    from scaling.data.photos import decode

    return decode(path.read_bytes(), None, channels)


def as_csv(found: Sequence[Found]) -> str:
    """A line a picture and class, likeliest first."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("image", "rank", "class", "probability"))
    for path, line in found:
        table.writerows(
            (path, rank, name, f"{share:.6f}") for rank, (name, share) in enumerate(line, start=1)
        )
    return text.getvalue()


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.predict", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    name_weights(made)
    made.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="pictures, or folders of them")
    made.add_argument("--top", type=int, default=5, metavar="N", help="classes a picture (default 5)")
    made.add_argument("--csv", type=Path, metavar="FILE", help="write a line a picture and class")
    return made


def name_weights(made: argparse.ArgumentParser) -> None:
    """Add the arguments that `load_weights` reads."""
    weights = made.add_mutually_exclusive_group(required=True)
    weights.add_argument("--run", type=Path, metavar="DIR", help="a run's directory: its newest checkpoint")
    weights.add_argument("--weights", type=Path, metavar="FILE", help="a .safetensors file of scaling.save")
    made.add_argument(
        "--trust_code", action="store_true", help="run the .py file that a network of your own comes from"
    )


if __name__ == "__main__":
    cli.run_command(main)
