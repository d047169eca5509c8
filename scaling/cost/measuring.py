"""Measured cost of an architecture on the device in use: step time, compile time, compiled memory."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scaling.arch.arch import Sized
from scaling.models.auxiliary import AUXILIARY, auxiliary_loss
from scaling.models.initialize import abstract_variables, initialize
from scaling.models.network import Buildable, Recomputed, build

MODES = ("train", "inference")
RATE = 1e-5  # of the update: values stay those of an untrained network, however often it is repeated


@dataclass(frozen=True)
class Measurement:
    """One program measured: `step_ms` is the median, `compile_seconds` includes tracing.

    `memory` in bytes is what the compiled program needs at its peak: arguments, results and
    temporaries, less what results share with arguments.
    """

    mode: str
    batch: int
    step_ms: float
    compile_seconds: float
    memory: int
    device_kind: str

    @property
    def images_per_second(self) -> float:
        return 1e3 * self.batch / self.step_ms


def measure(
    arch: Sized,
    batch: int,
    mode: str = "train",
    dtype: Any = jnp.float32,
    repeats: int = 5,
    remat: Recomputed = False,
) -> Measurement:
    """Compile one step on one device, run it `repeats` times after a warm-up, take the median.

    "train" is forward, backward and an SGD update with batch statistics, with `remat` as `Network`
    has it; "inference" the forward pass. Initial variables, random images and labels. Raises
    ValueError for an unknown mode or a batch or repeats below 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats={repeats} must be at least 1.")
    net = build(arch, dtype=dtype, remat=remat)
    compiled, compile_seconds = _compile(net, batch, mode)
    variables, images, labels = _arguments(net, batch)
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        output = jax.block_until_ready(compiled(variables, images, labels))
        times.append(time.perf_counter() - start)
        variables = output if mode == "train" else variables
    step_ms = 1e3 * statistics.median(times[1:])
    kind = jax.devices()[0].device_kind
    return Measurement(mode, batch, step_ms, compile_seconds, compiled_memory(compiled), kind)


def compiled_memory(compiled: Any) -> int:
    """Return the bytes a compiled program needs, from XLA's own analysis."""
    analysis = compiled.memory_analysis()
    if analysis is None:
        raise ValueError("this backend does not report the memory of a compiled program.")
    needed = analysis.argument_size_in_bytes + analysis.output_size_in_bytes + analysis.temp_size_in_bytes
    return needed - analysis.alias_size_in_bytes


def largest_batch(
    arch: Sized,
    memory: int | None = None,
    mode: str = "train",
    dtype: Any = jnp.float32,
    within: float = 0.05,
    remat: Recomputed = False,
) -> int:
    """Return a batch whose compiled step needs at most `memory` bytes and fills it but for `within`.

    The need is nearly a line in the batch, so each compile draws the line anew through the last two
    (at most eight compiles). 0 where no batch was found to fit; `memory` defaults to the device's own.
    """
    memory = device_memory() if memory is None else memory

    def needs(batch: int) -> int:
        return compiled_memory(_compile(build(arch, dtype=dtype, remat=remat), batch, mode)[0])

    tried = {batch: needs(batch) for batch in (2, 8)}
    for _ in range(6):
        (b0, m0), (b1, m1) = list(tried.items())[-2:]
        guess = b1 + int((memory - m1) // max(1.0, (m1 - m0) / (b1 - b0)))
        if guess < 1 or guess in tried:
            break
        tried[guess] = needs(guess)
        if (1 - within) * memory <= tried[guess] <= memory:
            break
    return max((batch for batch, need in tried.items() if need <= memory), default=0)


def device_memory() -> int:
    """Return the bytes of the first device's memory: its own where it says so, else the host's."""
    return _own_memory() or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def available_memory() -> int:
    """Return the bytes that a program may take now: the device's, or what the host can give without swapping.

    The host's are the least of what the system calls available and what the process's group has left.
    """
    if own := _own_memory():
        return own
    told = [line.split() for line in _lines("/proc/meminfo") if line.startswith("MemAvailable:")]
    known = [1024 * int(words[1]) for words in told] or [device_memory()]
    limit, used = (_lines(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    if limit and used and limit[0].isdigit():
        known.append(max(0, int(limit[0]) - int(used[0])))
    return min(known)


def _own_memory() -> int | None:
    return (jax.devices()[0].memory_stats() or {}).get("bytes_limit")


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _compile(net: Buildable, batch: int, mode: str) -> tuple[Any, float]:
    """Compile one step for shapes alone; return it and the seconds it took."""
    if mode not in MODES or batch < 1:
        raise ValueError(f"mode={mode!r} must be one of {MODES}, and batch={batch} at least 1.")
    step = _train_step(net, batch) if mode == "train" else _forward(net)
    side, channels = net.arch.resolution, net.arch.in_channels
    images = jax.ShapeDtypeStruct((batch, *net.arch.input_shape), jnp.float32)
    labels = jax.ShapeDtypeStruct((batch,), jnp.int32)
    variables = abstract_variables(net, side, channels)
    start = time.perf_counter()
    donated = (0,) if mode == "train" else ()
    compiled = (
        jax.jit(step, donate_argnums=donated, keep_unused=True).lower(variables, images, labels).compile()
    )
    return compiled, time.perf_counter() - start


def _arguments(net: Buildable, batch: int) -> tuple[Any, jax.Array, jax.Array]:
    """Initial variables, random images and labels: constants would fade into denormal numbers."""
    arch, rng = net.arch, np.random.default_rng(0)
    variables = jax.tree.map(jnp.array, initialize(net, seed=0))  # copies, since they are donated
    shape = (batch, *arch.input_shape)
    images = jax.device_put(rng.standard_normal(shape, np.float32))
    return variables, images, jnp.asarray(rng.integers(arch.num_classes, size=batch, dtype=np.int32))


def _forward(net: Buildable) -> Callable:
    return lambda variables, images_nhwc, labels_b: net.apply(variables, images_nhwc, train=False)


def _loss(answer, labels_b):
    """A loss of all that a network returns: by a label an image, of every pixel or anchor it answers for."""
    if isinstance(answer, dict):
        return sum(_of_each(scores, labels_b) for scores in answer.values())
    return _cross_entropy(answer, labels_b)


def _of_each(scores, labels_b):
    """The cross-entropy of (n, ..., k) scores, an image's label being that of all its places."""
    k = scores.shape[-1]
    places = math.prod(scores.shape[1:-1])
    return _cross_entropy(scores.reshape(-1, k), jnp.repeat(labels_b % k, places))


def _cross_entropy(logits_bk, labels_b):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits_bk), labels_b[:, None], axis=1))


def _train_step(net: Buildable, batch: int) -> Callable:
    """Forward, backward and a plain SGD update of `{"params", "batch_stats"}`."""

    def step(variables, images_nhwc, labels_b):
        keys_b = jax.random.split(jax.random.key(0), batch)

        def loss(params):
            answer, updates = net.apply(
                {**variables, "params": params},
                images_nhwc,
                train=True,
                keys_b=keys_b,
                mutable=["batch_stats", AUXILIARY],
            )
            early = auxiliary_loss(updates, lambda logits_bk: _cross_entropy(logits_bk, labels_b))
            kept = {name: updates[name] for name in variables if name in updates}
            return _loss(answer, labels_b) + early, kept

        gradients, updates = jax.grad(loss, has_aux=True)(variables["params"])
        params = jax.tree.map(lambda p, g: p - RATE * g, variables["params"], gradients)
        return {"params": params, **updates}

    return step
