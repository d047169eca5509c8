"""Omniglot: handwritten characters of many alphabets, each drawn once by 20 people.

`dir` holds background.zip and evaluation.zip, with a picture an alphabet, a character a row and a drawer a
column in cells of 105 pixels, and all_runs.zip, the official one-shot trials: the splits "background",
"evaluation" and "runs". Ink becomes white. An example of "runs" has its run's number as `episode`; the first
example of a class is the known one. Source: doi 10.1126/science.aab3050."""

from __future__ import annotations

import functools
import io
from pathlib import Path

import numpy as np

from scaling.border import archives
from scaling.border.archives import Member
from scaling.border.fingerprint import of_files
from scaling.data import photos
from scaling.data.source import Source
from scaling.data.splits import ArraySplit, parse
from scaling.runs.pinning import confirm_data
from scaling.runs.spec import DataSpec

CELL = 105
FILES = {"background": "background.zip", "evaluation": "evaluation.zip", "runs": "all_runs.zip"}


def open_omniglot(data: DataSpec, side: int) -> Source:
    """Find the archives; characters are squeezed to `side`. ValueError names a file that is missing."""
    root = Path(data.dir).expanduser()
    if missing := [file for file in FILES.values() if not data.dir or not (root / file).is_file()]:
        raise ValueError(
            f"data.dir={data.dir!r} lacks {missing[0]}: give the directory that holds Omniglot's."
        )
    confirm_data(data, lambda: of_files(root, functools.cache(archives.walk)))
    names = class_names(root / FILES[parse(data.train, FILES)[0]])

    def read(split: str) -> ArraySplit:
        name, part = parse(split, FILES)
        whole = _runs(root / FILES[name], side) if name == "runs" else _characters(root / FILES[name], side)
        return whole.take(np.arange(len(whole))[part(len(whole))])

    return Source("omniglot", names, 1, lambda split: parse(split, FILES), read)


def class_names(archive: Path) -> tuple[str, ...]:
    """The characters of an archive of alphabets, as "Greek 07"."""
    counts = {Path(member.parts[-1]).stem: len(_ink(member)) // CELL for member in _pictures(archive)}
    return tuple(f"{name} {i + 1:02}" for name, count in counts.items() for i in range(count))


def _characters(archive: Path, side: int) -> ArraySplit:
    """All characters of an archive of alphabets, in the order of their names, then of their drawers."""
    cells = []
    for member in _pictures(archive):
        ink = _ink(member)
        grid = ink.reshape(len(ink) // CELL, CELL, -1, CELL).transpose(0, 2, 1, 3)
        cells.append(grid.reshape(-1, CELL, CELL))
    drawn = np.concatenate(cells)
    labels = np.repeat(np.arange(len(drawn) // grid.shape[1]), grid.shape[1])
    return ArraySplit(photos.squeeze(drawn[..., None], side), labels.astype(np.int32))


def _runs(archive: Path, side: int) -> ArraySplit:
    """The known characters of each run, then those that are asked for."""
    members = {"/".join(member.parts): member for member in archives.walk(archive).members}
    drawn, labels, runs = [], [], []
    for run, place in enumerate(sorted(name for name in members if name.endswith("class_labels.txt"))):
        pairs = [line.split() for line in members[place].read().decode().splitlines() if line.strip()]
        known = sorted({one for _, one in pairs})
        rows = [(one, one) for one in known] + [(asked, one) for asked, one in pairs]
        drawn += [_ink(members[name]) for name, _ in rows]
        labels += [run * len(known) + known.index(one) for _, one in rows]
        runs += [run] * len(rows)
    images = photos.squeeze(np.stack(drawn)[..., None], side)
    return ArraySplit(images, np.array(labels, np.int32), extra={"episode": np.array(runs, np.int32)})


def _pictures(archive: Path) -> list[Member]:
    members = (one for one in archives.walk(archive).members if one.parts[-1].endswith(".png"))
    return sorted(members, key=lambda one: one.parts[-1])


def _ink(member: Member) -> np.ndarray:
    """A black and white picture, uint8 (h, w), its ink 255."""
    from PIL import Image

    with Image.open(io.BytesIO(member.read()), formats=("PNG",)) as image:
        return np.where(np.asarray(image.convert("1")), 0, 255).astype(np.uint8)
