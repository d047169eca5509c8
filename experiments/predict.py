"""What trained weights see in pictures: python -m experiments.predict --run=DIR IMAGE...

The weights are a run's (--run) or a file that scaling.save wrote (--weights); each IMAGE is a file, or a
folder of which all pictures are read. Prints what the network's task says: the likeliest classes, how many
things of each, shares of pixels. --csv=FILE writes all of it as a table, boxes and embeddings too, --out=DIR
its pictures: boxes and masks drawn, maps of classes and of things, what was restored.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments import cli
from scaling.border.files import write_atomically
from scaling.data.photos import SUFFIXES
from scaling.runs.workdir import CONFIG, recorded


def main(argv: Sequence[str]) -> int:
    """Predict every picture; return 1 where some could not be read."""
    arguments = _parser().parse_args(argv)
    from scaling.training.start import start
    from scaling.weights.predict import answer_of

    paths = pictures(arguments.images)
    if arguments.out:
        check_names(arguments.out, paths)
    weights = load_weights(arguments)
    task, train = _asked(arguments, weights)
    answer = answer_of(weights, task)
    start(devices=True)
    lines, problems, count = [], [], 0
    for path, said in predicted(weights, task, train, paths, arguments.top or answer.most, problems):
        count += 1
        lines += [(str(path), *row) for row in said.rows]
        print(f"{path}: {said.line}", flush=True)
        if arguments.out:
            draw(arguments.out, path, said.pictures)
    for problem in problems:
        print(f"left out: {problem}")
    if arguments.csv:
        write_atomically(arguments.csv, as_csv(("image", *answer.columns), lines))
        print(f"{count} predictions: {arguments.csv}")
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


def _asked(arguments: argparse.Namespace, weights: Any) -> tuple[Any, Any]:
    """The task of a run with what it was trained by; of a file, the task that its head is for."""
    from scaling import tasks
    from scaling.runs.spec import RunSpec, TrainSpec

    if arguments.run is None:
        return tasks.of(weights.arch), TrainSpec()
    spec = RunSpec.from_dict(recorded(arguments.run, CONFIG))
    return tasks.named(spec.task), spec.train


def predicted(
    weights: Any, task: Any, train: Any, paths: Sequence[Path], most: int, problems: list[str]
) -> Iterator[tuple[Path, Any]]:
    """Yield what is said of each picture; add a line to `problems` for one that cannot be read."""
    from scaling.weights.predict import BATCH, answers

    names = weights.classes or [str(i) for i in range(weights.arch.num_classes)]
    read: deque[tuple[Path, np.ndarray]] = deque()

    def opened() -> Iterator[np.ndarray]:
        for path in paths:
            try:
                image = open_picture(path, weights.arch.in_channels)
            except Exception as error:  # noqa: BLE001 - Pillow raises nearly anything on damaged data
                problems.append(f"{path}: {error}")
                continue
            read.append((path, image))
            yield image

    for seen in answers(weights, task, train, opened(), min(BATCH, len(paths))):
        path, pixels = read.popleft()
        yield path, task.answer.say(pixels, seen, names, most)


def check_names(out: Path, paths: Sequence[Path]) -> None:
    """Raise ValueError where a drawing would take the place of another one, or of a picture."""
    drawn: dict[str, Path] = {}
    for path in paths:
        if path.resolve().parent == out.resolve():
            raise ValueError(f"--out={out} holds {path}, which a drawing could replace: name another folder.")
        if (other := drawn.setdefault(path.stem, path)) != path:
            raise ValueError(
                f"{other} and {path} would both be drawn as {out / path.stem}.png: give them in separate calls, "
                "each with an --out of its own."
            )


def draw(out: Path, path: Path, pictures: Mapping[str, np.ndarray]) -> None:
    """Write pictures of a picture's answer as PNG, called as it is."""
    from PIL import Image

    for what, array in pictures.items():
        file = io.BytesIO()
        Image.fromarray(array).save(file, "PNG")
        write_atomically(out / f"{path.stem}{'.' + what if what else ''}.png", file.getvalue())


def open_picture(path: Path, channels: int) -> np.ndarray:
    """Decode a picture at its own size, as training does."""
    from scaling.data.photos import decode

    return decode(path.read_bytes(), None, channels)


def as_csv(columns: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    """A line a picture and class or thing, likeliest first."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(lines)
    return text.getvalue()


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.predict", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    name_weights(made)
    made.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="pictures, or folders of them")
    made.add_argument(
        "--top",
        type=cli.at_least_one,
        metavar="N",
        help="classes or things a picture (default: 5 classes, or all things)",
    )
    made.add_argument("--csv", type=Path, metavar="FILE", help="write a line a picture and class or thing")
    made.add_argument("--out", type=Path, metavar="DIR", help="draw boxes, masks, restored pictures into it")
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
