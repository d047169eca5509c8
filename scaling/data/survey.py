"""What a set of labelled images is like, before anything is trained on it."""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from scaling.border import archives
from scaling.border.members import Member
from scaling.data import npz, photos
from scaling.data.dataset import SOURCES
from scaling.data.folder import part_of, places
from scaling.data.splits import ArraySplit
from scaling.runs.spec import DataSpec

LARGEST_SIDE = 224  # at which sets are read that say no side themselves
FEW = 2  # a class with fewer images in a split cannot be cut


@dataclass(frozen=True)
class SplitSurvey:
    """One split: images of each class, the shorter side of each image in pixels, what is wrong, the contents.

    `digests` tell equal files apart from others; empty where images are not files.
    """

    name: str
    classes: dict[str, int]
    sides: tuple[int, ...]
    problems: tuple[str, ...] = ()
    digests: tuple[tuple[str, str], ...] = ()

    @property
    def images(self) -> int:
        return sum(self.classes.values())


@dataclass(frozen=True)
class Survey:
    """A data set: how a config names its source, its splits, and files that two splits share."""

    data: DataSpec
    splits: tuple[SplitSurvey, ...]

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(sorted({name for split in self.splits for name in split.classes}))

    @property
    def median_side(self) -> int:
        """Of the shorter sides of all images."""
        return int(np.median([side for split in self.splits for side in split.sides]))

    @property
    def lonely(self) -> list[tuple[str, str]]:
        """(split, class) of classes with a single image."""
        return [(s.name, name) for s in self.splits for name, count in s.classes.items() if count < FEW]

    @property
    def shared(self) -> list[tuple[str, str]]:
        """Pairs of files with equal content in different splits."""
        first: dict[str, tuple[str, str]] = {}
        found = []
        for split in self.splits:
            for digest, file in split.digests:
                name, earlier = first.setdefault(digest, (split.name, file))
                if name != split.name:
                    found.append((earlier, file))
        return found


def survey(data: DataSpec) -> Survey:
    """Look at every image of every split; ValueError where the source cannot be opened at all."""
    if data.source == "folder":
        return Survey(data, tuple(_folder_split(*place) for place in places(Path(data.dir)).items()))
    names = _split_names(data)
    source = SOURCES[data.source](replace(data, train=names[0]), LARGEST_SIDE)
    made = []
    for name in names:
        split = source.read(name)
        counts = np.bincount(split.labels, minlength=len(source.class_names)).tolist()
        classes = {known: count for known, count in zip(source.class_names, counts) if count}
        made.append(
            SplitSurvey(name, classes, (split.side,) * len(split), split.problems, _digests(split, name))
        )
    return Survey(data, tuple(made))


def _folder_split(name: str, place: Path) -> SplitSurvey:
    part = part_of(place, name, archives.walk)
    sides, digests = np.zeros(len(part.members), int), [""] * len(part.members)

    def look(i: int) -> None:
        encoded = part.members[i].read()
        sides[i] = min(photos.decode(encoded, None, 3).shape[:2])
        digests[i] = hashlib.sha256(encoded).hexdigest()

    bad = photos.attempt(look, len(part.members))
    good = [i for i in range(len(part.members)) if i not in bad]
    problems = [f"{part.members[i].describe()}: {reason}" for i, reason in bad.items()]
    return SplitSurvey(
        name,
        dict(sorted(collections.Counter(part.classes[i] for i in good).items())),
        tuple(int(sides[i]) for i in good),
        part.problems + tuple(problems),
        _named(part.members, digests, good),
    )


def _named(
    members: Sequence[Member], digests: Sequence[str], good: Sequence[int]
) -> tuple[tuple[str, str], ...]:
    return tuple((digests[i], members[i].describe()) for i in good)


def _digests(split, name: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(split, ArraySplit):
        return ()
    return tuple(
        (hashlib.sha256(image.tobytes()).hexdigest(), f"{name}[{i}]") for i, image in enumerate(split.images)
    )


def _split_names(data: DataSpec) -> list[str]:
    if data.source == "npz":
        return sorted(npz.places(Path(data.dir)), key=lambda name: (name != "train", name))
    import tensorflow_datasets as tfds

    found = list(tfds.builder(data.name, data_dir=data.dir or None).info.splits)
    return sorted(found, key=lambda name: (name != "train", name))
