"""From a RunSpec to everything a run will do, decided and checked before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax

from scaling.arch.arch import Sized
from scaling.arch.custom import Custom
from scaling.arch.heads import HEADS
from scaling.cost.counting import Cost, count
from scaling.data import Dataset, load
from scaling.data.loader import check_batches, is_resident
from scaling.models.network import frozen_stages, recomputed_stages
from scaling.runs.duration import Duration
from scaling.runs.resolve import resolve
from scaling.runs.spec import RunSpec
from scaling.tasks import named
from scaling.tasks.task import Task
from scaling.training import schedules, starting
from scaling.training.parallel import Device, check_batch, choose_devices
from scaling.training.phases import Phase, flops, phases_of
from scaling.training.schedules import Schedule

# Steps dispatched at once where dispatching costs more than on a CPU, and no images travel with it.
STEPS_PER_CALL = 10


@dataclass(frozen=True)
class Call:
    """One dispatch: `steps` steps from step `start` on, on images of side `resolution`."""

    start: int
    steps: int
    resolution: int

    @property
    def stop(self) -> int:
        return self.start + self.steps


@dataclass(frozen=True, eq=False)
class Plan:
    """A run: the network, the data and when what happens. Lengths are in steps, 0 for never.

    `rate` is the learning rate of a step.
    """

    spec: RunSpec
    task: Task
    arch: Sized
    coefficients: Any
    cost: Cost
    dataset: Dataset
    devices: tuple[Device, ...]
    steps_per_epoch: int
    total_steps: int
    phases: tuple[Phase, ...]
    rate: Schedule
    eval_every: int
    checkpoint_every: int
    log_every: int
    steps_per_call: int

    def calls(self, start: int) -> Iterator[Call]:
        """Yield the dispatches from step `start` to the end.

        They depend on `start` alone and never cross a boundary, so a resumed run makes the calls
        that the uninterrupted one would have made.
        """
        while start < self.total_steps:
            edge, phase = self._next_boundary(start), self.phase(start)
            steps = self.steps_per_call if start + self.steps_per_call <= edge else 1
            yield Call(start, steps, phase.resolution)
            start += steps

    def phase(self, step: int) -> Phase:
        """Return the phase that a step belongs to."""
        return [phase for phase in self.phases if phase.start <= step][-1]

    def evaluates(self, step: int) -> bool:
        """Whether validation follows update number `step`; the end has its own."""
        return due(step, self.eval_every) and step < self.total_steps

    def checkpoints(self, step: int) -> bool:
        """Whether a checkpoint follows update number `step`; one always does at the end."""
        return due(step, self.checkpoint_every) or step == self.total_steps

    def logs(self, call: Call) -> bool:
        """Whether a log is due within a call; one always is at the end."""
        every = self.log_every
        return call.stop // every > call.start // every or call.stop == self.total_steps

    def last_checkpoint(self, step: int) -> int:
        """The newest update number up to `step` that a checkpoint was due after; 0 where there is none."""
        return step - step % self.checkpoint_every if self.checkpoint_every else 0

    def train_flops(self, steps: int) -> float:
        """FLOPs of `steps` training steps, at 2 per multiply-add (`train_macs`)."""
        return flops(self.phases, self.total_steps, steps, self.spec.train.batch)

    def _next_boundary(self, step: int) -> int:
        regular = [(step // every + 1) * every for every in (self.eval_every, self.checkpoint_every) if every]
        phases = [phase.start for phase in self.phases if phase.start > step]
        return min([*regular, *phases, self.total_steps])


def due(step: int, every: int) -> bool:
    """Whether something done every so many steps (0: never) is done after update number `step`."""
    return every > 0 and step % every == 0


def make_plan(spec: RunSpec, dataset: Dataset | None = None) -> Plan:
    """Resolve the network, read training and validation data, count, and check that all of it fits.

    `dataset` is the spec's own, where it has been read before.
    """
    train, task = spec.train, named(spec.task)
    devices = choose_devices(train.devices)
    pairs = bool(spec.augment.mixup or spec.augment.cutmix)
    check_batch(train.batch, len(devices), train.accumulate, pairs)
    dataset = dataset or read_data(spec)
    arch, coefficients = resolve(spec.model, dataset.num_classes, dataset.in_channels)
    _check_head(task, arch)
    arch = task.adapt(arch)
    _check_drop_path(spec, arch)
    recomputed_stages(spec.model.remat, len(arch.stages))
    frozen_stages(spec.optimizer.frozen, arch)
    starting.check(spec.model.init)
    check_batches(dataset.train, train.batch, train.per_class)
    steps_per_epoch = len(dataset.train) // train.batch

    def steps(text: str) -> int:
        return Duration.parse(text).steps(steps_per_epoch)

    total = steps(train.duration)
    if total < 1:
        raise ValueError(
            f"config.train.duration={train.duration!r} is no whole step of {steps_per_epoch} per epoch: lengthen it."
        )
    phases = phases_of(arch, spec, total)
    starts = [phase.start for phase in phases] if train.alternate else [0]
    return Plan(
        spec=spec,
        task=task,
        arch=arch,
        coefficients=coefficients,
        cost=count(arch),
        dataset=dataset,
        devices=tuple(devices),
        steps_per_epoch=steps_per_epoch,
        total_steps=total,
        phases=phases,
        rate=schedules.of_run(spec, starts, total, steps_per_epoch),
        eval_every=steps(train.eval_every),
        checkpoint_every=steps(train.checkpoint_every),
        log_every=max(1, steps(train.log_every)),
        steps_per_call=_steps_per_call(spec, dataset),
    )


def _check_head(task: Task, arch: Sized) -> None:
    """Raise ValueError where the task cannot train what the network returns."""
    found = "Head" if isinstance(arch, Custom) else type(arch.head).__name__
    if found not in task.heads:
        heads = [name for name, head in HEADS.items() if type(head).__name__ in task.heads]
        raise ValueError(
            f"config.task={task.name!r} does not train the {found} of {arch.name}: set config.model.head to "
            f"{' or '.join(map(repr, heads)) or 'nothing'}."
        )


def _check_drop_path(spec: RunSpec, arch: Sized) -> None:
    """Raise ValueError where rates of dropping paths should grow and there are none."""
    if spec.schedule.drop_path != "constant" and (isinstance(arch, Custom) or not arch.drop_path_rate):
        raise ValueError(
            f"config.schedule.drop_path={spec.schedule.drop_path!r}, but {arch.name} drops no paths of ours: set "
            "config.model.drop_path_rate, or leave it constant."
        )


def read_data(spec: RunSpec) -> Dataset:
    """Read the images of a run, held at the resolution of its network."""
    resolution = resolve(spec.model, 2, 1)[0].resolution  # the number of classes is the data's to say
    return load(spec.data, spec.augment, resolution, named(spec.task).fields)


def _steps_per_call(spec: RunSpec, dataset: Dataset) -> int:
    if spec.train.steps_per_call is not None:
        return spec.train.steps_per_call
    several = jax.default_backend() != "cpu" and is_resident(dataset.train, spec.data.resident)
    return STEPS_PER_CALL if several else 1
