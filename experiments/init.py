"""Look at your own pictures and write a config that trains on them: python -m experiments.init DIR

DIR is a folder with a sub-folder a class (or train/ and val/ with them), a .tar or .zip of one, an .npz file,
or the name of a prepared tensorflow_datasets set (--tfds_dir says where it lies).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from experiments import cli
from scaling.border.files import write_atomically
from scaling.data.survey import SplitSurvey, Survey, survey
from scaling.runs.spec import DataSpec, RunSpec

NAMED = 5  # of a kind of problem, spelled out
# Names by which splits are known, those for a score read once and at the end first
TRAIN, TEST, VALIDATION = ("train", "training"), ("test", "testing"), ("val", "valid", "validation", "dev")
SIDES = (16, 32, 48, 64, 96, 128, 160, 192, 224)
SMALL_SIDE = 96  # up to here the first convolution keeps the side
LEAST_STEPS, MOST_BATCH = 20, 128  # an epoch, a step
STEPS, EPOCHS = 1500, (10, 60)  # in all, within so many epochs

CONFIG = Template('''"""$images pictures of $classes classes from $where, on a small EfficientNet at $count sizes.

Command: python -m experiments.sweep --config=$file --workdir=runs/$name
Written by `python -m experiments.init`; every field of a config may be set here (docs/your_photos.md).
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    return ConfigDict($config)


def get_sweep() -> list[dict]:
    return [{"model.phi": phi} for phi in $sizes]
''')


def main(argv: Sequence[str]) -> int:
    """Print what was found and write the config; 1 where pictures could not be used."""
    arguments = _parser().parse_args(argv)
    found = survey(source_of(arguments.data, arguments.tfds_dir))
    print(*told(found), sep="\n")
    name = Path(arguments.data).stem.replace("-", "_").replace(" ", "_")
    path = arguments.to or Path(f"{name}.py")
    if path.exists():
        raise ValueError(f"{path} exists: name another file with --to. Nothing was changed.")
    config = recipe(found)
    RunSpec.from_config(config)  # what is written can be run
    write_atomically(path, as_text(config, found, path, name))
    print(f"\nwritten: {path}; train with\npython -m experiments.sweep --config={path} --workdir=runs/{name}")
    return 1 if any(split.problems for split in found.splits) else 0


def source_of(given: str, tfds_dir: str) -> DataSpec:
    """Return how a config names what the command line gives: by what lies there."""
    path = Path(given).expanduser()
    if path.suffix == ".npz" or (path.is_dir() and any(path.glob("*.npz"))):
        return DataSpec(source="npz", dir=str(path))
    if path.exists():
        return DataSpec(source="folder", dir=str(path))
    if tfds_dir:
        return DataSpec(source="tfds", name=given, dir=tfds_dir)
    raise ValueError(
        f"{given} does not exist: give a folder, a .tar, .zip or .npz, or a set's name with --tfds_dir."
    )


def told(found: Survey) -> list[str]:
    """What a person should know of the data before training on it."""
    lines = [_split_line(split) for split in found.splits]
    sides = sorted(side for split in found.splits for side in split.sides)
    lines.append(f"shorter sides: {sides[0]} to {sides[-1]} px, median {found.median_side}")
    lines += _some("cannot be used", [problem for split in found.splits for problem in split.problems])
    lines += _some("class with a single picture", [f"{name} in {split}" for split, name in found.lonely])
    lines += _some("in two splits at once", [f"{one} = {other}" for one, other in found.shared])
    return lines


def _split_line(split: SplitSurvey) -> str:
    counts = split.classes.values()
    return (
        f"{split.name}: {split.images} pictures of {len(counts)} classes, {min(counts)} to {max(counts)} each"
    )


def _some(what: str, items: Sequence[str]) -> list[str]:
    more = [f"  ... and {len(items) - NAMED} more"] if len(items) > NAMED else []
    return [f"{what}: {len(items)}", *(f"  {item}" for item in items[:NAMED]), *more] if items else []


def recipe(found: Survey) -> dict[str, Any]:
    """A config for the data: splits, a resolution that the pictures have, a batch and length for them."""
    splits = _splits([split.name for split in found.splits])
    images = next(split.images for split in found.splits if split.name == splits["train"].partition("[")[0])
    side = max(s for s in SIDES if s <= max(found.median_side, SIDES[0]))
    side = min(side, 64 if images < 1000 else 128)
    batch = 2 ** max(3, min(int(math.log2(MOST_BATCH)), int(math.log2(max(8, images / LEAST_STEPS)))))
    epochs = max(EPOCHS[0], min(EPOCHS[1], round(STEPS * batch / images)))
    small = (
        {"stem": "small", "strides": [1 if side <= SMALL_SIDE // 2 else 2, 1, 2, 2]}
        if side <= SMALL_SIDE
        else {}
    )
    return {
        "model": {
            "name": "efficientnet_b0",
            "stages": [1, 2, 4],
            "base_width": 0.5,
            "base_resolution": side,
            "drop_path_rate": 0.0,
            **small,
        },
        "data": {"source": found.data.source, **_place(found.data), **splits},
        "augment": {"crop": "resized", "area": [0.35, 1.0], "flip": True},
        "optimizer": {"name": "adamw", "lr": 2e-3, "lr_batch": 0, "weight_decay": 0.05, "decay": "decoupled"},
        "schedule": {"name": "cosine", "warmup": "2 epochs"},
        "train": {"batch": batch, "duration": f"{epochs} epochs", "label_smoothing": 0.1, "ema": 0.99},
    }


def _place(data: DataSpec) -> dict[str, str]:
    return {"name": data.name, "dir": data.dir} if data.name else {"dir": data.dir}


def _splits(names: Sequence[str]) -> dict[str, Any]:
    """Which split trains, which chooses and which is read once; a set with one is cut."""
    train, test, validation = (
        next((name for name in names if name.lower() in known), "") for known in (TRAIN, TEST, VALIDATION)
    )
    if not train and len(names) > 1:
        raise ValueError(f"none of the splits {', '.join(names)} is for training: call one of them train.")
    train = train or names[0]
    if not test and not validation:
        return {"train": f"{train}[:80%]", "test": f"{train}[80%:]", "validation_fraction": 0.15}
    if not test:
        return {"train": train, "test": validation, "validation_fraction": 0.15}
    return {"train": train, "validation": validation, "test": test}


def as_text(config: dict[str, Any], found: Survey, path: Path, name: str) -> str:
    """The config as Python, a line a section."""
    sections = "".join(f"\n        {section!r}: {values!r}," for section, values in config.items())
    sizes = [-1.0, 0.0, 1.0]
    return CONFIG.substitute(
        images=sum(split.images for split in found.splits),
        classes=len(found.class_names),
        where=found.data.name or found.data.dir,
        count=len(sizes),
        file=path,
        name=name,
        config="{" + sections + "\n    }",
        sizes=tuple(sizes),
    )


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.init", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    made.add_argument("data", metavar="DIR", help="folder, .tar, .zip, .npz, or a tensorflow_datasets name")
    made.add_argument(
        "--tfds_dir", default="", metavar="DIR", help="where tensorflow_datasets prepared the set"
    )
    made.add_argument(
        "--to", type=Path, metavar="FILE", help="the config to write (default: the data's name)"
    )
    return made


if __name__ == "__main__":
    cli.run_command(main)
