"""The live parts of a run: engine, data on the devices, compiled programs, the state of step 0."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scaling.arch.arch import Sized
from scaling.data.loader import feed
from scaling.data.prefetch import ahead
from scaling.models.initialize import initialize
from scaling.models.network import Buildable, build, frozen_stages
from scaling.runs.spec import AugmentSpec
from scaling.tasks.task import AXIS, Fields, Inputs
from scaling.training import optimizers, schedules
from scaling.training.evaluate import Scorer
from scaling.training.packing import pack_state, unpack_state
from scaling.training.parallel import ENGINES, Program
from scaling.training.phases import Phase
from scaling.training.plan import Plan
from scaling.training.starting import read, started
from scaling.training.state import TrainState, create, models
from scaling.training.step import SEED, build_train_step, seed_key, several

LOOKAHEAD = 2  # calls whose streamed images are put on the devices ahead


class Runtime:
    """Builds from a plan what its calls need; programs are compiled when first used."""

    def __init__(self, plan: Plan):
        spec, data = plan.spec, plan.dataset
        self.plan = plan
        self.engine = ENGINES[spec.train.engine](plan.devices)
        self.feed = feed(
            data.train,
            spec.train.batch,
            spec.seed,
            spec.data.resident,
            spec.data.workers,
            jax.process_index(),
            jax.process_count(),
            spec.train.per_class,
        )
        self.resident = self.engine.replicate({**self.feed.resident, SEED: seed_key(spec.seed)})
        self._factor, self._compiled = 1.0, 0.0
        self._rate = plan.rate
        self._optimizer = optimizers.build(spec.optimizer, self._rate)
        self._programs: dict[tuple, Program] = {}
        if spec.model.init:
            self._initial()  # weights that do not fit are refused before anything is written
        self.evaluate = self.scorer(plan.arch, spec.train.eval_batch)

    def slow(self, factor: float) -> None:
        """Train at `factor` times the schedule's learning rate from now on, by programs compiled anew."""
        if factor == self._factor:
            return
        self._factor, self._compiled = factor, self.compile_seconds - self.evaluate.program.seconds
        self._rate = lambda step: factor * self.plan.rate(step)
        self._optimizer = optimizers.build(self.plan.spec.optimizer, self._rate)
        self._programs = {}

    def first_state(self) -> TrainState:
        """Return the host state of step 0, checked against the count."""
        plan = self.plan
        variables = self._initial()
        sizes = tuple(_size(variables.get(name, {})) for name in ("params", "batch_stats"))
        if sizes != (plan.cost.params, plan.cost.batch_stats):
            raise RuntimeError(
                f"{plan.arch.name} has {sizes} parameters and statistics, but was counted to have "
                f"{(plan.cost.params, plan.cost.batch_stats)}: the counter and the model disagree."
            )
        frozen = frozen_stages(plan.spec.optimizer.frozen, plan.arch)
        return create(variables, self._optimizer, plan.spec.train.ema > 0, frozen)

    def _initial(self) -> dict[str, Any]:
        """The variables of step 0: drawn by the seed, or the given ones."""
        plan = self.plan
        fresh, init = initialize(self._network(plan.arch), plan.spec.seed), plan.spec.model.init
        return started(plan.arch, fresh, read(init), init) if init else fresh

    def to_devices(self, state: TrainState) -> TrainState:
        """Put a host state on every device, packed into vectors."""
        mask = optimizers.decay_mask(self.plan.spec.optimizer.decay_mask)
        return self.engine.replicate(pack_state(state, mask))

    def scorer(self, arch: Sized, batch: int, by_batch: bool = False) -> Scorer:
        """Return what evaluates variables of an architecture, `batch` images at a time (`Scorer`)."""
        inputs, network = self.evaluated(arch)
        spec = self.plan.spec.train
        return Scorer(self.plan.task, self.engine, network, inputs, batch, by_batch, spec, arch)

    def evaluated(self, arch: Sized) -> tuple[Callable[[Fields], Fields], Buildable]:
        """Return what makes inputs of examples in evaluation, and the network of an architecture."""
        return self.plan.task.eval_inputs(self._inputs(self.plan.spec.augment, arch)), self._network(arch)

    def with_choice(self, state: TrainState, choice: Mapping[str, Sequence[int]]) -> TrainState:
        """Tell a supernet on the devices which operation each edge does (`scaling.models.universal`)."""
        arrays = {name: np.asarray(value, np.int32) for name, value in choice.items()}
        frozen = {**(state.frozen or {}), "choice": self.engine.replicate(arrays)}
        return dataclasses.replace(state, frozen=frozen)

    def to_host(self, state: TrainState) -> TrainState:
        """Return the named host copy of the devices' state."""
        return unpack_state(self.engine.unreplicate(state))

    def batches(self, start: int) -> Generator[Any, None, None]:
        """Yield the batches of each call of the plan from step `start` on, stacked and on the devices.

        Streamed images are put there ahead of their call, in a thread. Close the generator when done.
        """
        calls = self._batches(start)
        return calls if self.feed.resident else ahead(calls, LOOKAHEAD)

    def _batches(self, start: int) -> Generator[Any, None, None]:
        with contextlib.closing(self.feed.batches(start)) as batches:
            for call in self.plan.calls(start):
                taken = list(itertools.islice(batches, call.steps))
                stacked = {name: np.stack([batch[name] for batch in taken]) for name in taken[0]}
                yield self.engine.shard(stacked, axis=1)

    def program(self, phase: Phase) -> Program:
        """Return (state, batches, resident) -> (state, metrics) of a phase; the state is donated."""
        form = phase.resolution, phase.drop_rate, phase.magnitude, phase.turn and phase.turn.name
        if form not in self._programs:
            self._programs[form] = Program(self.engine, self._steps(phase), cut={1: 1}, donate=(0,))
        return self._programs[form]

    def compile(self) -> None:
        """Compile what the first call and evaluation need, before they are made."""
        state = self.to_devices(self.first_state())
        with contextlib.closing(self.batches(0)) as batches:
            self.program(self.plan.phase(0)).prepare(state, next(batches), self.resident)
        self.evaluate.prepare(models(state), self.plan.dataset.validation)

    @property
    def compile_seconds(self) -> float:
        """Time spent compiling so far."""
        return self._compiled + sum(p.seconds for p in (*self._programs.values(), self.evaluate.program))

    def _steps(self, phase: Phase):
        spec, arch, augment = self.plan.spec, self.plan.arch, self.plan.spec.augment
        arch = arch.replace(resolution=phase.resolution)
        if phase.drop_rate is not None:
            arch = arch.replace(drop_rate=phase.drop_rate)
        if phase.magnitude is not None:
            augment = dataclasses.replace(augment, randaugment_magnitude=phase.magnitude)
        task, optimizer, frozen = self.plan.task, self._optimizer, spec.optimizer.frozen
        if phase.turn is not None:
            task, optimizer = phase.turn.of(task), optimizers.holding(optimizer, phase.turn.held)
            frozen += tuple(name for name in arch.stage_names if phase.turn.held(name))
        step = build_train_step(
            task,
            self._network(arch, frozen),
            optimizer,
            self._rate,
            task.train_inputs(self._inputs(augment, arch)),
            spec.train,
            None,
            arch,
            schedules.drop_path_share(spec.schedule, self.plan.total_steps),
        )
        return several(step)

    def _inputs(self, augment: AugmentSpec, arch: Sized) -> Inputs:
        data = self.plan.dataset
        return Inputs(augment, arch.resolution, arch.num_classes, data.mean, data.std, arch)

    def _network(self, arch: Sized, frozen: tuple[str, ...] | None = None) -> Buildable:
        """The network, whose `frozen` stages run in evaluation mode (None: those of the config)."""
        model = self.plan.spec.model
        synced = AXIS if self.plan.spec.train.batch_norm == "synced" else None
        return build(
            arch,
            dtype=jnp.dtype(model.dtype),
            scan=model.scan,
            remat=model.remat,
            axis_name=synced,
            frozen=self.plan.spec.optimizer.frozen if frozen is None else frozen,
        )


def _size(tree: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))
