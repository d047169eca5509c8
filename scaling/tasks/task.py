"""What a network is trained for, as a value: an example's fields, the loss, what is summed, what counts."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from scaling.arch.arch import Sized
from scaling.runs.spec import AugmentSpec, TrainSpec
from scaling.tasks.answers import Answer
from scaling.tasks.pictures import Fields, Pictures

AXIS = "batch"  # the mapped axis of devices, over which training and evaluation run
# Passes of a training step through a module: forwards and two gradients, forwards alone, none
LEARNS, ASKED, UNUSED = 3, 1, 0
Held = Callable[[str], bool]  # whether what lies at a path, "decoder/rpn/conv_0", is left alone


class Apply(Protocol):
    """Runs the network that is trained, for a loss."""

    def __call__(self, images: Any, held: Held = ..., **told: Any) -> tuple[Any, Mapping[str, Any]]:
        """Return what it answers, and its collections that changed.

        `told` is what its head takes beside the images, by name. No gradient reaches parameters that are
        `held`, and statistics that are stay what they were: a loss of several phases says with each which it
        leaves alone.
        """
        ...


Loss = Callable[[Apply, Fields, TrainSpec, Sized | None], tuple[Any, Mapping[str, Any], Fields]]


@dataclass(frozen=True)
class Metric:
    """A number by which runs are compared; the larger the better.

    It is a fraction of which 1 is the best; what is left to it is the error that laws are fitted to. A number
    with a `unit` becomes such a fraction by `fraction`, which does not change the order. `name` is its key,
    `title` stands over columns, `word` in sentences. `of_examples` says that it is the share of examples that
    are right, which has an interval of its own."""

    name: str
    title: str
    word: str
    of_examples: bool = False
    unit: str = ""
    fraction: Callable[[float], float] = lambda value: value

    def told(self, value: float) -> str:
        """The number with its title or unit, for a line of progress."""
        return f"{value:.2f} {self.unit}" if self.unit else f"{self.title} {value:.3f}"


@dataclass(frozen=True)
class Inputs:
    """How examples become inputs: augmentation, the side in pixels, the classes, statistics of a channel.

    `arch` is the network, for what its head says of its inputs, or None where nobody told."""

    augment: AugmentSpec
    resolution: int
    num_classes: int
    mean: Sequence[float]
    std: Sequence[float]
    arch: Sized | None = None


@dataclass(frozen=True)
class Turn:
    """A part of a training in turns: some modules learn by a loss of its own, the others stay what they are.

    `passes(path)` is how often a step goes through the module at a path: LEARNS, ASKED or UNUSED.
    """

    name: str
    loss: Loss
    passes: Callable[[str], int]

    def held(self, path: str) -> bool:
        """Whether what lies at a path does not learn."""
        return self.passes(path) != LEARNS

    def of(self, task: Task) -> Task:
        """The task by this turn's loss, whose gradient reaches what learns alone."""

        def loss(apply, inputs, spec, arch):
            return self.loss(functools.partial(apply, held=self.held), inputs, spec, arch)

        return dataclasses.replace(task, loss=loss)


@dataclass(frozen=True)
class Task:
    """One kind of training. Its functions are pure and run on the devices, but `means`.

    `fields` are what a split must hold of an example beside its image, `heads` the names of the types of
    heads that it trains (`scaling.arch.head`, `scaling.arch.map_heads`); a network with another is refused.
    `adapt(arch)` changes a network that scores the data's classes where the task needs it to score more.
    `train_inputs` and `eval_inputs` of `Inputs` give functions, (fields, keys) and (fields,) -> fields, whose
    "image" is float32 (n, h, w, c). `loss(apply, inputs, spec, arch)` is a mean over the examples, beside the
    collections that changed and metrics of the same kind; `arch` is the network, for what its head says of
    its outputs, or None where nobody told; a loss of several examples gathers them over `AXIS`.
    `sums(outputs, inputs, mask_b, spec, arch)` may be added over batches and devices, examples whose mask is
    False left out. `gather(outputs, inputs, spec, arch)`, where sums do not do, gives an array (n, ...) a
    name, of a shape that no example changes: they are collected from all batches and devices, in the order of
    the examples. `means` makes metrics of totals and collected arrays, in NumPy, "loss" and `metric.name`
    among them. `told(inputs, spec, arch)` is what the network's head takes in evaluation beside the images,
    by name. `pictures` show answers beside the truth. `turns(arch)` are those of a training in turns, none
    where parts of such a network only learn together. `answer` is what is said of a picture alone, where
    anything can be."""

    name: str
    metric: Metric
    fields: tuple[str, ...]
    heads: tuple[str, ...]
    train_inputs: Callable[[Inputs], Callable[[Fields, Any], Fields]]
    eval_inputs: Callable[[Inputs], Callable[[Fields], Fields]]
    loss: Loss
    sums: Callable[[Any, Fields, Any, TrainSpec, Sized | None], dict[str, Any]]
    means: Callable[[dict[str, Any]], dict[str, float]]
    gather: Callable[[Any, Fields, TrainSpec, Sized | None], Fields] = lambda *_: {}
    adapt: Callable[[Any], Any] = lambda arch: arch
    told: Callable[[Fields, TrainSpec, Sized | None], Mapping[str, Any]] = lambda *_: {}
    pictures: Pictures | None = None
    turns: Callable[[Sized], tuple[Turn, ...]] = lambda _: ()
    answer: Answer | None = None
