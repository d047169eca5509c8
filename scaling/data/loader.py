"""In what order images reach the devices: exact resume, process slices, padded evaluation batches."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeGuard

import numpy as np

from scaling.data import photos
from scaling.data.dataset import MEMORY_BUDGET
from scaling.data.splits import ArraySplit, Split, permutation
from scaling.data.stream import ENDLESS, Steps, gather, streamed


@dataclass(frozen=True, eq=False)
class Order:
    """Which examples form which step: for each epoch a permutation, whole batches only, tail dropped."""

    count: int
    batch: int
    seed: int
    process_index: int
    process_count: int

    @property
    def steps_per_epoch(self) -> int:
        return self.count // self.batch

    def step(self, step: int) -> dict[str, np.ndarray]:
        """Rows of the split and places in the global batch that this process takes at `step`."""
        epoch, place = divmod(step, self.steps_per_epoch)
        local = self.batch // self.process_count
        position = np.arange(local, dtype=np.int32) + self.process_index * local
        rows = _epoch_order(self.seed, epoch, self.count)[place * self.batch + position]
        return {"index": rows.astype(np.int32), "position": position}


@dataclass(frozen=True, eq=False)
class ClassOrder:
    """Which examples form which step where each of its classes has `per_class` of them.

    An epoch goes through permutations of the classes, one after the other, as many whole batches of each as
    there are, and takes of a class its next examples, in an order of their own.
    """

    labels: np.ndarray
    batch: int
    per_class: int
    seed: int
    process_index: int
    process_count: int

    @property
    def count(self) -> int:
        return len(self.labels)

    @property
    def steps_per_epoch(self) -> int:
        return self.count // self.batch

    def step(self, step: int) -> dict[str, np.ndarray]:
        """Rows and places as `Order.step` gives them; examples of a class stand together."""
        epoch, place = divmod(step, self.steps_per_epoch)
        order = _epoch_order(self.seed, epoch, self.count)
        members = order[np.argsort(self.labels[order], kind="stable")]
        _, starts, counts = np.unique(self.labels[members], return_index=True, return_counts=True)
        wide, ways = np.flatnonzero(counts >= self.per_class), self.batch // self.per_class
        turn, place = divmod(place, len(wide) // ways)
        chosen = wide[permutation(self.seed, epoch * self.count + turn, len(wide))][place * ways :][:ways]
        taken = (turn * self.per_class + np.arange(self.per_class)) % counts[chosen][:, None]
        rows = members[starts[chosen][:, None] + taken].ravel()
        local = self.batch // self.process_count
        position = np.arange(local, dtype=np.int32) + self.process_index * local
        return {"index": rows[position].astype(np.int32), "position": position}


@lru_cache(maxsize=2)
def _epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    return permutation(seed, epoch, count)


@dataclass(frozen=True, eq=False)
class Feed:
    """Training batches of one process. `resident` is to be put on every device once, or is empty."""

    split: Split
    order: Order | ClassOrder
    workers: int
    resident: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def steps_per_epoch(self) -> int:
        return self.order.steps_per_epoch

    def batches(self, start_step: int) -> Generator[dict[str, np.ndarray], None, None]:
        """Yield this process's batches from `start_step` on, without end.

        Resident: index int32[b], position int32[b]. Streamed: image uint8[b, H, W, C], label int32[b],
        position int32[b]. `position` is the place in the global batch. Close the generator when done:
        it may own worker processes.
        """
        if self.resident:
            return (self.order.step(step) for step in range(start_step, ENDLESS))
        return streamed(Steps(self.split, self.order), start_step, self.workers)


def feed(
    split: Split,
    batch: int,
    seed: int,
    resident: bool | None,
    workers: int,
    process_index: int = 0,
    process_count: int = 1,
    per_class: int = 0,
) -> Feed:
    """Order `split` into global batches of `batch`, as a function of (seed, epoch) alone.

    With `per_class` each batch has that many examples of each of its classes. `resident` None keeps array
    splits up to 2 GiB on the device; streamed ones are decoded by `workers` processes (0: threads).
    ValueError where the batch exceeds the split or does not divide.
    """
    _check_batch(batch, process_count)
    check_batches(split, batch, per_class)
    if resident and not isinstance(split, ArraySplit):
        raise ValueError("resident=True needs a split in memory: load it with data.resident=True.")
    order: Order | ClassOrder = Order(len(split), batch, seed, process_index, process_count)
    if per_class:
        order = ClassOrder(split.labels, batch, per_class, seed, process_index, process_count)
    return Feed(split, order, workers, split.fields if is_resident(split, resident) else {})


def is_resident(split: Split, resident: bool | None) -> TypeGuard[ArraySplit]:
    """Whether `feed` keeps a split on the device, where the config asks for `resident`."""
    fits = split.nbytes <= MEMORY_BUDGET if resident is None else resident
    return fits and isinstance(split, ArraySplit)


def check_batches(split: Split, batch: int, per_class: int = 0) -> None:
    """Raise ValueError where an epoch has no whole batch, or none with `per_class` of each of its classes."""
    if batch > len(split):
        raise ValueError(
            f"train.batch={batch} is larger than the training split of {len(split)} images, so an epoch would "
            f"have no step: set train.batch to at most {len(split)}, or use more data (data.limit, "
            "data.validation_fraction)."
        )
    if per_class:
        _check_classes(split.labels, batch, per_class)


def eval_batches(
    split: Split, batch: int, process_index: int = 0, process_count: int = 1
) -> Iterator[dict[str, np.ndarray]]:
    """Yield every example exactly once over all processes, in order, the last batch padded.

    Each is this process's slice: image uint8[b, H, W, C], label int32[b], position int32[b] (the place in the
    split), real float32[b] (0 where padded). All processes yield the same number of batches.
    """
    _check_batch(batch, process_count)
    local = batch // process_count
    for start in range(0, len(split), batch):
        first = start + process_index * local
        rows = np.arange(first, min(first + local, len(split)))
        found = gather(split, rows, photos.in_threads)
        padding = local - len(rows)
        found |= {"position": rows.astype(np.int32), "real": np.ones(len(rows), np.float32)}
        yield {name: _pad(array, padding) for name, array in found.items()}


def _check_batch(batch: int, process_count: int) -> None:
    if batch < 1 or batch % process_count:
        raise ValueError(
            f"a global batch of {batch} must be a positive multiple of the {process_count} processes: choose "
            f"{max(1, round(batch / process_count)) * process_count}."
        )


def _check_classes(labels: np.ndarray, batch: int, per_class: int) -> None:
    wide = int(np.sum(np.unique(labels, return_counts=True)[1] >= per_class))
    if batch % per_class or wide < batch // per_class:
        raise ValueError(
            f"train.batch={batch} is to hold {per_class} examples of each of its classes (train.per_class), so of "
            f"{batch // per_class} classes, but {wide} have that many: set train.batch to a multiple of "
            f"{per_class} of at most {wide * per_class}."
        )


def _pad(array: np.ndarray, padding: int) -> np.ndarray:
    return np.concatenate([array, np.zeros((padding, *array.shape[1:]), array.dtype)])
