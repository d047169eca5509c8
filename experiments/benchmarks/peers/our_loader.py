"""Our loader, streaming photos: decoded images a second once it runs steadily."""

from __future__ import annotations

import time

from experiments.benchmarks.prepared import Prepared
from experiments.benchmarks.tasks import Job, Load
from scaling.data.folder import open_folder
from scaling.data.loader import feed
from scaling.data.splits import StreamSplit
from scaling.runs.spec import DataSpec

AHEAD = 16  # batches, more than either loader reads ahead


def split(task: Load) -> StreamSplit:
    """List the photos of the training split."""
    data = DataSpec(source="folder", dir=task.dir)
    return open_folder(data, task.resolution).read(data.train)


def load(job: Job, task: Load) -> Prepared:
    """Each run starts and ends the workers, so that nothing reads ahead while others are timed."""
    opened = split(task)
    workers = 0 if job.contender == "ours, threads" else task.workers

    def run() -> float:
        batches = feed(opened, task.batch, 0, resident=False, workers=workers).batches(0)
        try:
            return seconds_an_image(batches, task, len(opened)) * job.cores
        finally:
            batches.close()

    return Prepared(run)


def seconds_an_image(batches, task: Load, photos: int) -> float:
    """Use up what was read ahead, then time about `task.images` images, or as many as `photos` leave."""
    count = max(1, min(task.images // task.batch, photos // task.batch - AHEAD))
    for _ in range(min(AHEAD, photos // task.batch - count)):
        next(batches)
    start = time.perf_counter()
    for _ in range(count):
        next(batches)
    return (time.perf_counter() - start) / (count * task.batch)
