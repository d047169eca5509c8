"""From pictures to what trained weights say of them, a fixed number of pictures at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import jax
import numpy as np

from scaling import tasks
from scaling.arch.head import Head
from scaling.models.network import build
from scaling.runs.spec import TrainSpec
from scaling.tasks.answers import Answer
from scaling.tasks.classification import CLASSIFICATION
from scaling.tasks.task import Task
from scaling.weights.files import Weights

BATCH = 32
EDGE = 8  # pixels: pictures that a network takes as they are are filled up to a multiple, for its strides


def predictions(weights: Weights, images: Iterable[Any], batch: int = BATCH) -> Iterator[np.ndarray]:
    """Yield for each image float32[classes], the probabilities of a softmax.

    Images are Pillow's, or uint8[H, W, C]; they are read as they are needed. ValueError where the weights do
    not say how pictures become their input, or answer otherwise than by classes.
    """
    if not isinstance(getattr(weights.arch, "head", Head()), Head):
        raise ValueError(  # noqa: TRY004
            f"{weights.arch.name} answers otherwise than by a class for the whole image: use `answers`."
        )
    for seen in answers(weights, CLASSIFICATION, TrainSpec(), images, batch):
        yield seen["probability"]


def answers(
    weights: Weights, task: Task, spec: TrainSpec, images: Iterable[Any], batch: int = BATCH
) -> Iterator[dict[str, np.ndarray]]:
    """Yield for each image what the task's answer sees in it (`scaling.tasks.answers`), a dict of arrays.

    `spec` has what detections are chosen by (`least_score`, `most_overlap`, `sure_score`). ValueError as
    `answer_of`, and where the weights do not say how pictures become their input.
    """
    answer = answer_of(weights, task)
    see = _program(weights, task, answer, spec)
    yield from _each_whole(see, images) if answer.whole else _together(see, weights, images, batch)


def answer_of(weights: Weights, task: Task) -> Answer:
    """The task's answer to a picture; ValueError where it has none."""
    if task.answer is None:
        able = ", ".join(one.name for one in tasks.TASKS.values() if one.answer)
        raise ValueError(
            f"{weights.arch.name} was trained for {task.name}, which says nothing of a picture; tasks that do are "
            f"{able}."
        )
    return task.answer


def _program(weights: Weights, task: Task, answer: Answer, spec: TrainSpec) -> Callable[[Any], Any]:
    """Return images float32 (n, h, w, c) -> what is seen in them."""
    arch, net = weights.arch, build(weights.arch)
    variables = jax.device_put(weights.variables)

    @jax.jit
    def run(variables, x_nhwc):
        inputs = {"image": x_nhwc}
        outputs = net.apply(variables, x_nhwc, train=False, **task.told(inputs, spec, arch))
        return answer.see(outputs, inputs, spec, arch)

    return lambda x_nhwc: jax.device_get(run(variables, x_nhwc))


def _together(see, weights: Weights, images: Iterable[Any], batch: int) -> Iterator[dict[str, np.ndarray]]:
    """Several at a time, prepared by the record that travels with the weights."""
    if weights.preprocessing is None:
        raise ValueError(
            f"the weights of {weights.arch.name} do not say how pictures become their input: save them with a "
            "preprocessing record (scaling.save(..., preprocessing=...))."
        )
    waiting = iter(images)
    while some := list(islice(waiting, batch)):
        x_nhwc = np.stack([weights.preprocessing.apply(image) for image in some])
        padded = np.pad(x_nhwc, ((0, batch - len(some)), (0, 0), (0, 0), (0, 0)))
        seen = see(padded)
        for i in range(len(some)):
            yield {name: array[i] for name, array in seen.items()}


def _each_whole(see, images: Iterable[Any]) -> Iterator[dict[str, np.ndarray]]:
    """One at a time at its own size; what is filled up at its edges is cut off the answers."""
    for image in images:
        pixels = np.atleast_3d(np.asarray(image))
        sides = pixels.shape[:2]
        spare = [(0, -side % EDGE) for side in sides]
        filled = np.pad(pixels, (*spare, (0, 0)), mode="symmetric").astype(np.float32) / 255
        seen = see(filled[None])
        yield {name: _cut(array[0], sides, filled.shape[:2]) for name, array in seen.items()}


def _cut(array_hwc: np.ndarray, sides: tuple[int, ...], filled: tuple[int, ...]) -> np.ndarray:
    """The part of an answer that is of the picture; answers may be several times as large."""
    height, width = (own * side // whole for own, side, whole in zip(array_hwc.shape, sides, filled))
    return array_hwc[:height, :width]
