"""One step of a network in JAX, ours or in stock Flax layers: random images, initial weights."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

import scaling.zoo
from experiments.benchmarks import memory
from experiments.benchmarks.peers import stock_flax
from experiments.benchmarks.prepared import Prepared, repeated
from experiments.benchmarks.tasks import FirstStep, Job, Step
from scaling.arch.arch import Arch
from scaling.cost.measuring import compiled_memory
from scaling.models.initialize import initialize
from scaling.models.network import Network
from scaling.models.operators import operators_of
from scaling.training import compilation_cache
from scaling.training.packing import layout_of, like, pack, tree_of

RATE = 1e-5  # values stay those of an untrained network, however often the step is repeated


def architecture(task: Step | FirstStep) -> Arch:
    """The zoo's network at the task's resolution, without dropping: no contender drops anything."""
    arch = scaling.zoo.get(task.model)
    if getattr(arch.head, "drop_rate", 0.0):
        arch = arch.replace(head=replace(arch.head, drop_rate=0.0))
    return arch.replace(resolution=task.resolution, drop_rate=0.0, drop_path_rate=0.0)


def step(job: Job, task: Step) -> Prepared:
    """Compile a training or inference step and hold what it needs."""
    idle = memory.resident()
    program = Program(job, task)
    compiled, seconds = program.compile()
    host: list[float] = []
    run = repeated(lambda: program.call(compiled, host), jax.block_until_ready, _on_device())
    facts = {
        "idle_bytes": idle,
        "compile_seconds": seconds,
        "compiled_bytes": compiled_memory(compiled),
        "bytes_accessed": _bytes_accessed(compiled),
        "operators": str(operators_of(getattr(program.net, "operators", "lax"))),
    }
    return Prepared(run, lambda: facts | {"host_ms": 1e3 * float(np.median(host)), **_device_peak()})


def first_step(job: Job, task: FirstStep) -> Prepared:
    """Trace, compile and run one step when called; only data and initial weights are there before."""
    if job.cache:
        _enable_cache(Path(job.cache))
    program = Program(job, task)
    facts: dict[str, Any] = {}

    def run() -> float:
        start = time.perf_counter()
        compiled, facts["compile_seconds"] = program.compile()
        jax.block_until_ready(program.call(compiled, []))
        return time.perf_counter() - start

    return Prepared(run, lambda: facts)


class Program:
    """A network's step as a jitted function, with its arguments."""

    def __init__(self, job: Job, task: Step | FirstStep):
        arch, dtype = architecture(task), jnp.dtype(task.dtype)
        self.train = task.mode == "train"
        if job.contender == "stock Flax":
            self.net, variables = _stock(arch, dtype)
        else:
            self.net, variables = _ours(arch, dtype, "cpu" if job.contender == "ours, no kernels" else None)
        self.variables = jax.device_put(variables)
        rng = np.random.default_rng(0)
        side = task.resolution
        images = rng.standard_normal((task.batch, side, side, arch.in_channels), np.float32)
        labels = rng.integers(0, arch.num_classes, task.batch, np.int32)
        self.images, self.labels = jax.device_put((images, labels))

    def compile(self) -> tuple[Any, float]:
        """Return the compiled step and the seconds that tracing and compiling took."""
        start = time.perf_counter()
        if self.train:
            jitted = jax.jit(train_step(self.net), donate_argnums=0)
        else:
            jitted = jax.jit(inference(self.net))
        compiled = jitted.lower(self.variables, self.images, self.labels).compile()
        return compiled, time.perf_counter() - start

    def call(self, compiled: Any, host: list[float]) -> Any:
        """Take one step; note how long the host was held."""
        start = time.perf_counter()
        result = compiled(self.variables, self.images, self.labels)
        host.append(time.perf_counter() - start)
        if self.train:
            self.variables = result
        return result


def train_step(net: nn.Module) -> Callable:
    """Forward, backward and a plain SGD update; collections may be trees or packed vectors."""

    def step(variables, images_nhwc, labels_b):
        def loss(params):
            given = {name: tree_of(value) for name, value in (variables | {"params": params}).items()}
            outputs, updates = net.apply(given, images_nhwc, train=True, mutable=["batch_stats"])
            kept = {name: like(variables[name], tree) for name, tree in updates.items()}
            return objective(outputs, labels_b), kept

        gradients, statistics = jax.grad(loss, has_aux=True)(variables["params"])
        params = jax.tree.map(lambda p, g: p - RATE * g, variables["params"], gradients)
        return {"params": params, **statistics}

    return step


def objective(outputs: Any, labels_b: Any) -> Any:
    """Cross-entropy of logits; of the outputs for every place of an image the sum of their mean squares."""
    if isinstance(outputs, dict):
        return sum(jnp.mean(jnp.square(value)) for value in outputs.values())
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(outputs), labels_b[:, None], axis=1))


def inference(net: nn.Module) -> Callable:
    return lambda variables, images_nhwc, labels_b: net.apply(
        {name: tree_of(value) for name, value in variables.items()}, images_nhwc, train=False
    )


def _ours(arch: Arch, dtype, operators: str | None) -> tuple[nn.Module, Any]:
    """Our network, its variables packed as in training."""
    net = Network(arch, dtype, operators=operators)
    variables = initialize(net, seed=0)
    decayed = jax.tree.map(lambda _: False, variables)
    return net, {name: pack(tree, layout_of(tree, decayed[name])) for name, tree in variables.items()}


def _stock(arch: Arch, dtype) -> tuple[nn.Module, Any]:
    net = stock_flax.StockNetwork(arch, dtype)
    return net, stock_flax.initialize(net)


def _enable_cache(directory: Path) -> None:
    """Keep compiled programs in `directory`; an error where that is refused, for nothing would be warm."""
    if compilation_cache.enable(directory) is None:
        raise RuntimeError("compiled programs are not kept here: see the line above.")


def _on_device() -> bool:
    return jax.default_backend() != "cpu"


def _bytes_accessed(compiled: Any) -> float | None:
    """XLA's own estimate of the memory traffic of one call."""
    analysis = compiled.cost_analysis() or {}
    return analysis.get("bytes accessed")


def _device_peak() -> dict[str, int]:
    """The peak of a device's own memory, which JAX cannot reset; nothing on a CPU."""
    stats = jax.devices()[0].memory_stats() or {}
    return {"peak_bytes": stats["peak_bytes_in_use"]} if "peak_bytes_in_use" in stats else {}
