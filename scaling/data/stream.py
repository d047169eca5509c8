"""Batches of a split by step, and Grain's threads or worker processes that make them ahead of time."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from scaling.data.splits import ArraySplit, Split

PREFETCH = 4  # batches made ahead of the step, at least
ENDLESS = 2**31 - 1  # steps


class Order(Protocol):
    """Which examples form which step."""

    def step(self, step: int) -> dict[str, np.ndarray]:
        """Return {"index": rows of the split, "position": places in the global batch}."""
        ...


@dataclass(frozen=True, eq=False)
class Steps:
    """Random access by step to batches with their images, decoded into an array that `empty` makes."""

    split: Split
    order: Order
    empty: Callable[..., np.ndarray] = np.empty

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        chosen = self.order.step(int(index))
        return {**gather(self.split, chosen["index"], map, self.empty), "position": chosen["position"]}


def gather(
    split: Split, rows: np.ndarray, each: Callable = map, empty: Callable[..., np.ndarray] = np.empty
) -> dict[str, np.ndarray]:
    """The fields of the examples at `rows`, image uint8[b, H, W, C] and label int32[b] among them; `each`
    maps decoding over them."""
    if isinstance(split, ArraySplit):
        return {name: array[rows] for name, array in split.fields.items()}
    labels = split.labels[rows]
    images = empty((len(rows), split.side, split.side, split.channels), np.uint8)
    try:
        for i, image in enumerate(each(split.__getitem__, rows)):
            images[i] = image
    except BaseException:
        if release := getattr(images, "unlink_on_del", None):  # shared memory outlives its process
            release()
        raise
    return {"image": images, "label": labels, **{name: array[rows] for name, array in split.extra.items()}}


def streamed(steps: Steps, start_step: int, workers: int) -> Generator[dict[str, np.ndarray], None, None]:
    """Yield batches from `start_step` on, made ahead by threads (no `workers`) or worker processes.

    RuntimeError where a worker process was killed. Close the generator when done: it may own processes.
    """
    # Worker processes get a copy of the split: worth it for decoding, not for images in memory.
    in_processes = workers > 0 and not isinstance(steps.split, ArraySplit)
    batches = iter(_processes(steps, start_step, workers) if in_processes else _threads(steps, start_step))
    try:
        yield from batches
    except RuntimeError as error:
        if not in_processes:
            raise
        raise RuntimeError(
            f"a worker process of data.workers={workers} ended early ({error}): most often the memory was used up. "
            "Set fewer data.workers or 0, which decodes in threads, and start again."
        ) from error
    finally:  # ends threads and processes as soon as the caller drops or closes the generator
        batches.close()


def _threads(steps: Steps, start_step: int):
    import grain

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    options = grain.ReadOptions(num_threads=cores, prefetch_buffer_size=max(PREFETCH, cores))
    return grain.MapDataset.source(steps)[start_step:].to_iter_dataset(options)


def _processes(steps: Steps, start_step: int, workers: int):
    import grain
    from absl import flags
    from grain.multiprocessing import SharedMemoryArray

    if not flags.FLAGS.is_parsed():  # Grain's processes read absl flags, also where no absl app runs
        flags.FLAGS.mark_as_parsed()
    # A worker decodes in its only thread, straight into the memory through which the batch is handed over.
    shared = replace(steps, empty=SharedMemoryArray)
    inline = grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)
    dataset = grain.MapDataset.source(shared)[start_step:].to_iter_dataset(inline)
    ahead = max(2, -(-PREFETCH // workers))
    return dataset.mp_prefetch(grain.MultiprocessingOptions(workers, per_worker_buffer_size=ahead))
