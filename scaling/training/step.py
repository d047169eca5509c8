"""The one per-device training step and evaluation step, mapped over an axis named "batch".

Every random number of an example comes from (seed, stream, step, the example's place in the global
batch), so results depend neither on the number of devices nor on how a batch is cut up.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from scaling.arch.arch import Sized
from scaling.models.auxiliary import AUXILIARY
from scaling.models.network import DROP_PATH, Applied
from scaling.runs.spec import SKIP, TrainSpec
from scaling.tasks.task import AXIS, Fields, Held, Task
from scaling.training.optimizers import schedule_counts_of
from scaling.training.packing import at_paths, like, whole
from scaling.training.schedules import Schedule
from scaling.training.state import TrainState, averaged, without

Step = Callable[[TrainState, dict[str, Any], dict[str, Any]], tuple[TrainState, dict[str, Any]]]
SEED = "seed"  # what `resident` calls the key that all random numbers come from


def seed_key(seed: int) -> np.ndarray:
    """Return the key of a seed as plain numbers, which a program takes as an argument."""
    return np.asarray(jax.random.key_data(jax.random.key(seed)))


def example_keys(seed: int | jax.Array, stream: str, step, position_b):
    """Return one key an example: a function of the seed (or its key), the stream, the step and the place."""
    root = jax.random.key(seed) if isinstance(seed, int) else jax.random.wrap_key_data(seed)
    named = jax.random.fold_in(root, zlib.crc32(stream.encode()) & 0x7FFFFFFF)
    return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.fold_in(named, step), position_b)


def build_train_step(
    task: Task,
    network: Applied,
    optimizer: optax.GradientTransformation,
    rate: Schedule,
    inputs: Callable[[Fields, Any], Fields],
    spec: TrainSpec,
    seed: int | None,
    arch: Sized | None = None,
    drop_path: Schedule | None = None,
) -> Step:
    """Return step(state, batch, resident) -> (state, metrics), for one device's share of a batch.

    The state's collections are trees, or packed into vectors (`scaling.training.packing`).

    `batch` holds {"position"} and either {"index"} into the arrays of `resident` or these fields of the
    examples themselves, of which `inputs` makes what `task.loss` takes, as it does `arch`, the network's
    value, where the task asks for one; `drop_path` says which share of its drop-path rates a step has
    (None: all). Where `seed` is None its key is in `resident` as SEED: runs that differ by their seed alone
    then share a program. The batch's share is cut into
    `spec.accumulate` micro-batches whose gradients are averaged, as those of the devices are. Batch norm
    normalises each micro-batch by its own statistics (with synced statistics: its own over all devices); each
    starts from the same running statistics, and the new ones are averaged over micro-batches and devices. So
    k micro-batches on one device do what k devices with local statistics do.

    Metrics are means over the global batch; `finite` is 1 where loss, gradient and new state are. Where they
    are not and `spec.non_finite` is "skip", the step counts and nothing else of the state changes.
    """

    losses = _losses(task, network, inputs, spec, seed, arch, drop_path)

    def step(state: TrainState, batch, resident):
        def gradients(part):
            return jax.grad(losses, has_aux=True)(state.params, state, part, resident)

        parts = jax.tree.map(lambda x: x.reshape(spec.accumulate, -1, *x.shape[1:]), batch)
        mean = _mean_over(gradients, parts)
        grads, (batch_stats, metrics) = lax.pmean(mean, AXIS)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        new = {"params": params, "batch_stats": batch_stats}
        ema = state.ema
        if ema is not None:
            ema = averaged(ema, new, spec.ema, spec.ema_ramp, state.step)
        norm = optax.tree.norm(grads)
        checked = jnp.stack([metrics["loss"], norm, optax.tree.norm(new)])
        metrics = metrics | {"grad_norm": norm, "lr": jnp.float32(rate(state.step))}
        metrics["finite"] = jnp.all(jnp.isfinite(checked)).astype(jnp.float32)
        after = TrainState(state.step + 1, params, batch_stats, opt_state, ema, state.frozen)
        if spec.non_finite == SKIP:
            after = _undone_unless(metrics["finite"] == 1.0, after, state)
        return after, metrics

    return step


def _losses(
    task: Task,
    network: Applied,
    inputs: Callable[[Fields, Any], Fields],
    spec: TrainSpec,
    seed: int | None,
    arch: Sized | None,
    drop_path: Schedule | None,
) -> Callable[..., Any]:
    """Return losses(params, state, part, resident) -> (loss, (batch_stats, metrics)), of one micro-batch."""

    def losses(params, state, part, resident):
        root = resident[SEED] if seed is None else seed
        augment_b, drop_b = (
            example_keys(root, s, state.step, part["position"]) for s in ("augment", "dropout")
        )
        variables = whole({"params": params, "batch_stats": state.batch_stats, "frozen": state.frozen})
        if drop_path is not None:
            variables = {**variables, DROP_PATH: {"share": drop_path(state.step)}}

        def apply(images, held: Held | None = None, **told):
            known = variables
            if held:
                known = {**variables, "params": at_paths(lax.stop_gradient, variables["params"], held)}
            call = {"train": True, "keys_b": drop_b, "mutable": ["batch_stats", AUXILIARY]}
            answer: Any = network.apply(known, images, **call, **told)
            outputs, updates = answer
            if held and "batch_stats" in updates:
                kept = at_paths(
                    lambda _, before: before, updates["batch_stats"], held, variables["batch_stats"]
                )
                updates = {**updates, "batch_stats": kept}
            return outputs, updates

        loss, updates, metrics = task.loss(apply, inputs(_examples(part, resident), augment_b), spec, arch)
        frozen = {} if state.frozen is None else state.frozen["batch_stats"]
        batch_stats = like(state.batch_stats, without(updates.get("batch_stats", {}), frozen))
        return loss, (batch_stats, {"loss": loss, **metrics})

    return losses


def several(step: Step) -> Step:
    """Return the step over batches stacked on a leading axis; metrics are stacked likewise."""

    def steps(state, batches, resident):
        if len(jax.tree.leaves(batches)[0]) == 1:
            state, metrics = step(state, jax.tree.map(lambda x: x[0], batches), resident)
            return state, jax.tree.map(lambda x: x[None], metrics)
        return lax.scan(lambda s, batch: step(s, batch, resident), state, batches)

    return steps


def build_eval_step(
    task: Task,
    network: Applied,
    inputs: Callable[[Fields], Fields],
    by_batch: bool = False,
    spec: TrainSpec | None = None,
    arch: Sized | None = None,
) -> Callable[[Any, Any], Any]:
    """Return step(models, batch) -> {model: (sums, arrays)} over the examples of all devices.

    Sums are over those whose "real" is 1; arrays are what the task gathers of all, and their "real" with it.
    `models` is {name: variables}, packed or not; `batch` holds the examples' fields and "real". With
    `by_batch` batch norm uses the statistics of the images on a device, padding and all, not the running
    ones."""
    known = spec or TrainSpec()

    def score(variables, made, real_b):
        call = {"train": by_batch, "mutable": ["batch_stats"]}
        found: Any = network.apply(whole(variables), made["image"], **call, **task.told(made, known, arch))
        outputs = found[0]
        arrays = task.gather(outputs, made, known, arch)
        return task.sums(outputs, made, real_b.astype(bool), known, arch), arrays and {
            **arrays,
            "real": real_b,
        }

    def step(models, batch):
        made = inputs(batch)
        scored = {name: score(v, made, batch["real"]) for name, v in models.items()}
        sums = lax.psum({name: summed for name, (summed, _) in scored.items()}, AXIS)
        arrays = lax.all_gather({name: each for name, (_, each) in scored.items()}, AXIS, tiled=True)
        return {name: (sums[name], arrays[name]) for name in models}

    return step


def _undone_unless(finite, after: TrainState, before: TrainState) -> TrainState:
    """The state after a step, or the one before it with the step counted."""
    chosen = jax.tree.map(lambda new, old: jnp.where(finite, new, old), after, before)
    counted = schedule_counts_of(after.opt_state, chosen.opt_state)
    return dataclasses.replace(chosen, step=after.step, opt_state=counted, frozen=after.frozen)


def _examples(batch, resident) -> Fields:
    """Take the fields of this batch's examples, from the arrays on the device where they lie there."""
    if "index" not in batch:
        return {name: array for name, array in batch.items() if name != "position"}
    return {name: array[batch["index"]] for name, array in resident.items() if name != SEED}


def _mean_over(function, parts):
    """Average a function's outputs over the leading axis of `parts`, one at a time."""
    count, first = len(jax.tree.leaves(parts)[0]), jax.tree.map(lambda x: x[0], parts)
    if count == 1:
        return function(first)
    shapes = jax.eval_shape(function, first)
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
    add = lambda total, part: (jax.tree.map(jnp.add, total, function(part)), None)
    total, _ = lax.scan(add, zeros, parts)
    return jax.tree.map(lambda x: x / count, total)
