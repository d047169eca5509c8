"""From a DataSpec to a Dataset: open the source, cut validation, hold what fits, measure mean and std."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from scaling.border.pinned import digest
from scaling.data import photos
from scaling.data.boxes import open_boxes
from scaling.data.coco_instances import open_coco_instances
from scaling.data.digits import open_digits
from scaling.data.folder import open_folder
from scaling.data.fsdd import open_fsdd
from scaling.data.instances import open_instances
from scaling.data.mask_arrays import open_npz_masks
from scaling.data.mask_folder import open_masks
from scaling.data.npz import open_npz
from scaling.data.omniglot import open_omniglot
from scaling.data.pictures import open_pictures
from scaling.data.source import Source
from scaling.data.splits import ArraySplit, Split, StreamSplit, carve
from scaling.data.tfds import open_tfds
from scaling.data.tfds_boxes import open_tfds_boxes
from scaling.data.tfds_masks import open_tfds_masks
from scaling.runs.spec import AugmentSpec, DataSpec

SOURCES = {
    "digits": open_digits,
    "folder": open_folder,
    "npz": open_npz,
    "tfds": open_tfds,
    "omniglot": open_omniglot,
}
# Sources of examples that have another field than a label, or more
WITH_FIELD = {
    "mask": {"folder": open_masks, "npz": open_npz_masks, "tfds": open_tfds_masks, "fsdd": open_fsdd},
    "boxes": {"coco": open_boxes, "voc": open_boxes, "boxes": open_boxes, "tfds": open_tfds_boxes},
    "instances": {"folder": open_instances, "coco": open_coco_instances},
    "size": {"folder": open_pictures},
}
MEMORY_BUDGET = 2 * 2**30  # bytes of decoded images of one split held at once
STATISTICS_PIXELS = 2**27  # enough for the whole of CIFAR-10, and some 2,700 photos at 224 pixels
NAMED_PROBLEMS = 5  # how many bad files an error spells out


@dataclass(frozen=True)
class Dataset:
    """Three splits of one data set.

    `test` reads the test split when called, not before; None where the run has none. `mean` and `std` are
    per channel, of the training split, pixels in [0, 1]. `examples` counts train and validation; `problems`
    lists what was left out of them (those of the test split are in its own `problems`).
    """

    name: str
    class_names: tuple[str, ...]
    in_channels: int
    train: Split
    validation: Split
    test: Callable[[], Split] | None
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def examples(self) -> dict[str, int]:
        return {"train": len(self.train), "validation": len(self.validation)}

    @property
    def fingerprint(self) -> str:
        """A digest of which examples there are: their number, order and classes, not their pixels."""
        labels = [split.labels.astype("<i4").tobytes() for split in (self.train, self.validation)]
        told = "\n".join([self.name, *self.class_names, *(digest(one) for one in labels)])
        return digest(told.encode())

    @property
    def problems(self) -> tuple[str, ...]:
        return self.train.problems + self.validation.problems


def load(
    data: DataSpec, augment: AugmentSpec, resolution: int, fields: Sequence[str] = ("label",)
) -> Dataset:
    """Read training and validation images; the test split is read when `Dataset.test()` is called.

    Photos are held at `data.store` pixels, by default the side of which the evaluation crop is `resolution`.
    `fields` are what each example needs beside its image. Raises ValueError where a split is missing, empty
    or mostly damaged."""
    source = opened(data, augment, resolution, fields)
    train, validation = _train_and_validation(source, data)
    train = hold(train, data, data.train)
    validation = hold(validation, data, data.validation or f"{data.train} (validation part)")
    if source.one_side:
        _check_side(validation, train, data.validation)
    mean, std = statistics(train)

    def test() -> Split:
        split = hold(source.read(data.test), data, data.test)
        if source.one_side:
            _check_side(split, train, data.test)
        return split

    last = test if data.test else None
    return Dataset(source.name, source.class_names, source.in_channels, train, validation, last, mean, std)


def listed(
    data: DataSpec, augment: AugmentSpec, resolution: int, fields: Sequence[str] = ("label",)
) -> Dataset:
    """As `load`, of what a listing tells: no photo is decoded or left out, no pixel read, no test split."""
    source = opened(data, augment, resolution, fields)
    train, validation = _train_and_validation(source, data)
    nothing, one = (0.0,) * source.in_channels, (1.0,) * source.in_channels
    return Dataset(source.name, source.class_names, source.in_channels, train, validation, None, nothing, one)


def opened(
    data: DataSpec, augment: AugmentSpec, resolution: int, fields: Sequence[str] = ("label",)
) -> Source:
    """Open the source and see that it has the splits; ValueError where one is missing or empty."""
    _check_distinct(data)
    source = open_source(data, augment, resolution, fields)
    for name in filter(None, (data.train, data.validation, data.test)):
        source.check(name)
    return source


def open_source(
    data: DataSpec, augment: AugmentSpec, resolution: int, fields: Sequence[str] = ("label",)
) -> Source:
    """Open the source, whose examples must have these fields; photos are squeezed as `load` says."""
    openers = SOURCES if tuple(fields) == ("label",) else WITH_FIELD[fields[0]]
    if data.source not in openers:
        raise ValueError(
            f"data.source={data.source!r} has images without a {fields[0]}, which this task needs: use "
            f"{' or '.join(openers)}."
        )
    return openers[data.source](data, data.store or round(resolution / augment.eval_crop))


def _check_distinct(data: DataSpec) -> None:
    names = [name for name in (data.train, data.validation, data.test) if name]
    if len(set(names)) < len(names) or not data.train:
        raise ValueError(
            f"data.train={data.train!r}, data.validation={data.validation!r} and data.test={data.test!r} must be "
            "different splits (validation may be empty: it is then cut from train); a set with one split only "
            "takes parts of it, such as train='train[:80%]' and test='train[80%:]'."
        )
    if data.store is not None and data.store < 1:
        raise ValueError(f"data.store={data.store} must be a side in pixels of at least 1, or None.")


def _check_side(split: Split, train: Split, name: str) -> None:
    if split.side != train.side:
        raise ValueError(
            f"split {name!r} has images of side {split.side}, the training split of {train.side}: set data.store, "
            f"for example to {train.side}, to bring all to one side."
        )


def _train_and_validation(source: Source, data: DataSpec) -> tuple[Split, Split]:
    train = source.read(data.train)
    if data.validation:
        validation, rows = source.read(data.validation), np.arange(len(train))
    else:
        rows, held_out = carve(train.labels, data.validation_fraction, data.split_seed)
        # Bad files found while listing belong to the whole split: they are named once, with train.
        validation = replace(train.take(held_out), problems=())
    if data.limit is not None and data.limit < 1:
        raise ValueError(f"data.limit={data.limit} must be at least 1, or None for all training images.")
    return train.take(rows[: data.limit]), validation


def hold(split: Split, data: DataSpec, name: str) -> Split:
    """Decode a streamed split into memory where it fits; leave out bad images, with a line for each.

    It fits below 2 GiB; `data.resident` True or False decides otherwise. What stays streamed is screened
    at a glance. ValueError where more than half is bad, or nothing is left.
    """
    images, bad, lines = None, {}, ()
    if isinstance(split, StreamSplit):
        if data.resident or (data.resident is None and split.nbytes <= MEMORY_BUDGET):
            images, bad = photos.decode_all(split.decode, len(split), split.side, split.channels)
        else:
            bad = photos.attempt(split.screen, len(split))
        lines = tuple(f"{split.describe(i)}: {reason}" for i, reason in bad.items())
    good = np.setdiff1d(np.arange(len(split)), list(bad))
    problems = split.problems + lines
    check_enough(good, split.labels, lines, name)
    if images is not None:
        kept = split.take(good)
        return ArraySplit(images[good] if bad else images, kept.labels, problems, kept.extra)
    if isinstance(split, ArraySplit) and data.store not in (None, split.side):
        return replace(split, images=photos.squeeze(split.images, data.store))
    return replace(split.take(good), problems=problems) if bad else split


def check_enough(good: np.ndarray, labels: np.ndarray, bad: tuple[str, ...], name: str) -> None:
    """Raise ValueError where a split has no image, a class lost all of its own, or most are bad."""
    named = "; ".join(bad[:NAMED_PROBLEMS]) + (" ..." if len(bad) > NAMED_PROBLEMS else "")
    if not len(good) and not bad:
        raise ValueError(
            f"split {name!r} has no image: take a larger part of it, or a larger data.validation_fraction."
        )
    if len(bad) > len(good):
        raise ValueError(
            f"split {name!r}: {len(bad)} of {len(bad) + len(good)} files are bad, more than half, so the set is "
            f"probably damaged or not what was meant: repair or delete them. {named}"
        )
    lost = np.setdiff1d(labels, labels[good])
    if len(lost):
        raise ValueError(
            f"split {name!r}: class {int(lost[0])} has no usable image left after bad ones were set aside: repair "
            f"its files or delete the class. {named}"
        )


def statistics(split: Split) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and std per channel, pixels in [0, 1]; of an even sample where the split is very large.

    Sums are integers, so a streamed and a resident split give equal bits. A constant channel has std 1.
    """
    count = min(len(split), max(1, STATISTICS_PIXELS // split.side**2))
    rows = np.linspace(0, len(split) - 1, count).astype(int)
    chunks = [rows[i : i + 64] for i in range(0, count, 64)]
    total = np.zeros((2, split.channels), np.int64)
    for sums in photos.in_threads(lambda chunk: _sums(split, chunk), chunks):
        total += sums
    mean, square = total / (count * math.prod(split[0].shape[:2])) / np.array([[255.0], [255.0**2]])
    std = np.sqrt(np.maximum(square - mean**2, 0))
    return tuple(mean.tolist()), tuple(np.where(std > 1e-6, std, 1.0).tolist())


def _sums(split: Split, rows: np.ndarray) -> np.ndarray:
    images = np.stack([split[i] for i in rows])
    first = images.sum(axis=0, dtype=np.uint32)
    second = np.square(images, dtype=np.uint16).sum(axis=0, dtype=np.uint32)
    return np.stack([first, second]).sum(axis=(1, 2), dtype=np.int64)
