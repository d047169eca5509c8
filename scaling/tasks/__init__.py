"""What networks are trained for: one value a task, found by name.

from scaling import tasks
tasks.named("classification").metric.name
"""

from __future__ import annotations

from scaling.arch.arch import Sized
from scaling.border.typed import nearest
from scaling.tasks.classification import CLASSIFICATION
from scaling.tasks.denoising import DENOISING
from scaling.tasks.detection import DETECTION
from scaling.tasks.embedding import EMBEDDING
from scaling.tasks.generation import GENERATION
from scaling.tasks.instance_segmentation import INSTANCE_SEGMENTATION
from scaling.tasks.segmentation import SEGMENTATION
from scaling.tasks.super_resolution import SUPER_RESOLUTION
from scaling.tasks.task import Task
from scaling.tasks.voice_activity import VOICE_ACTIVITY

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        CLASSIFICATION,
        SEGMENTATION,
        DETECTION,
        INSTANCE_SEGMENTATION,
        DENOISING,
        SUPER_RESOLUTION,
        EMBEDDING,
        VOICE_ACTIVITY,
        GENERATION,
    )
}


def of(arch: Sized) -> Task:
    """The task of a network of which nothing else is known, by its head; restoring tasks answer alike."""
    head = getattr(arch, "head", None)
    kind = "Head" if head is None else type(head).__name__
    if getattr(head, "masks", None):
        return INSTANCE_SEGMENTATION
    fitting = [task for task in TASKS.values() if kind in task.heads]
    if not fitting:
        raise ValueError(f"no task trains the {kind} of {arch.name}.")
    return fitting[0]


def named(name: str) -> Task:
    """Return a task; ValueError, with the nearest name, for one that is none."""
    if name not in TASKS:
        raise ValueError(f"config.task={name!r} must be one of {', '.join(TASKS)}{nearest(name, TASKS)}.")
    return TASKS[name]
