"""The one per-device training step and evaluation step, mapped over an axis named "batch".

Every random number of an example comes from (seed, stream, step, the example's place in the global
batch), so results depend neither on the number of devices nor on how a batch is cut up.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from scaling.models.auxiliary import AUXILIARY, auxiliary_loss
from scaling.models.network import Applied
from scaling.runs.spec import TrainSpec
from scaling.tasks.losses import cross_entropy, in_top_k
from scaling.training.packing import like, whole
from scaling.training.schedules import Schedule
from scaling.training.state import TrainState, averaged, without

AXIS = "batch"

Step = Callable[[TrainState, dict[str, Any], dict[str, Any]], tuple[TrainState, dict[str, Any]]]


def example_keys(seed: int, stream: str, step, position_b):
    """Return one key an example: a function of the seed, the stream's name, the step and the place."""
    named = jax.random.fold_in(jax.random.key(seed), zlib.crc32(stream.encode()) & 0x7FFFFFFF)
    return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.fold_in(named, step), position_b)


def build_train_step(
    network: Applied,
    optimizer: optax.GradientTransformation,
    rate: Schedule,
    transform: Callable[[Any, Any, Any], tuple[Any, Any]],
    spec: TrainSpec,
    seed: int,
) -> Step:
    """Return step(state, batch, resident) -> (state, metrics), for one device's share of a batch.

    The state's collections are trees, or packed into vectors (`scaling.training.packing`).

    `batch` holds {"position"} and either {"index"} into the arrays of `resident` or {"image",
    "label"}. The share is cut into `spec.accumulate` micro-batches whose gradients are averaged, as
    those of the devices are. Batch norm normalises each micro-batch by its own statistics (with
    synced statistics: its own over all devices); each starts from the same running statistics, and
    the new ones are averaged over micro-batches and devices. So k micro-batches on one device do
    what k devices with local statistics do.

    The loss counts that of each auxiliary classifier by its weight. Metrics are means over the global
    batch; `finite` is 1 where loss, gradient and new state are.
    """

    def losses(params, state, part, resident):
        image, label = _examples(part, resident)
        augment_b, drop_b = (
            example_keys(seed, s, state.step, part["position"]) for s in ("augment", "dropout")
        )
        x_nhwc, targets_bk = transform(image, label, augment_b)
        variables = {"params": params, "batch_stats": state.batch_stats, "frozen": state.frozen}
        logits_bk, updates = network.apply(
            whole(variables), x_nhwc, train=True, keys_b=drop_b, mutable=["batch_stats", AUXILIARY]
        )
        smoothed_bk = optax.losses.smooth_labels(targets_bk, spec.label_smoothing)
        entropy = lambda logits_bk: jnp.mean(cross_entropy(logits_bk, smoothed_bk))
        loss = entropy(logits_bk) + auxiliary_loss(updates, entropy)
        top1 = jnp.mean(in_top_k(logits_bk, jnp.argmax(targets_bk, -1), 1), dtype=jnp.float32)
        held = {} if state.frozen is None else state.frozen["batch_stats"]
        batch_stats = like(state.batch_stats, without(updates.get("batch_stats", {}), held))
        return loss, (batch_stats, {"loss": loss, "top1": top1})

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
        return TrainState(state.step + 1, params, batch_stats, opt_state, ema, state.frozen), metrics

    return step


def several(step: Step) -> Step:
    """Return the step over batches stacked on a leading axis; metrics are stacked likewise."""

    def steps(state, batches, resident):
        if len(jax.tree.leaves(batches)[0]) == 1:
            state, metrics = step(state, jax.tree.map(lambda x: x[0], batches), resident)
            return state, jax.tree.map(lambda x: x[None], metrics)
        return lax.scan(lambda s, batch: step(s, batch, resident), state, batches)

    return steps


def build_eval_step(
    network: Applied, transform: Callable[[Any], Any], by_batch: bool = False
) -> Callable[[Any, Any], Any]:
    """Return step(models, batch) -> {model: sums over all devices' examples whose mask is 1}.

    `models` is {name: variables}, packed or not; `batch` holds {"image", "label", "mask"}. With `by_batch`
    batch norm uses the statistics of the images on a device, padding and all, not the running ones.
    """

    def sums(variables, x_nhwc, batch):
        logits_bk: Any = network.apply(whole(variables), x_nhwc, train=by_batch, mutable=["batch_stats"])[0]
        mask_b = batch["mask"].astype(bool)
        label_b = jnp.where(mask_b, batch["label"], 0)
        loss_b = cross_entropy(logits_bk, jax.nn.one_hot(label_b, logits_bk.shape[-1]))
        return {
            "count": jnp.sum(mask_b, dtype=jnp.int32),
            "top1": jnp.sum(in_top_k(logits_bk, label_b, 1) & mask_b, dtype=jnp.int32),
            "top5": jnp.sum(in_top_k(logits_bk, label_b, 5) & mask_b, dtype=jnp.int32),
            "loss": jnp.sum(jnp.where(mask_b, loss_b, 0.0)),
        }

    def step(models, batch):
        x_nhwc = transform(batch["image"])
        return lax.psum({name: sums(v, x_nhwc, batch) for name, v in models.items()}, AXIS)

    return step


def _examples(batch, resident):
    """Take this batch's images and labels, from the arrays on the device where they lie there."""
    if "index" not in batch:
        return batch["image"], batch["label"]
    return resident["image"][batch["index"]], resident["label"][batch["index"]]


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
