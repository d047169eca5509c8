"""One training step of ours on several devices, mapped by `pmap` or by `jit`."""

from __future__ import annotations

import jax
import numpy as np

from experiments.benchmarks.peers.flax_networks import RATE, architecture
from experiments.benchmarks.prepared import Prepared, repeated
from experiments.benchmarks.tasks import Job, Parallel
from scaling.arch.arch import Arch
from scaling.cost.communication import reduced_bytes
from scaling.models.initialize import initialize
from scaling.models.network import Network
from scaling.runs.spec import AugmentSpec, OptimizerSpec, TrainSpec
from scaling.tasks.classification import CLASSIFICATION
from scaling.tasks.task import Inputs
from scaling.training import optimizers
from scaling.training.packing import pack_state
from scaling.training.parallel import ENGINES, Program, choose_devices
from scaling.training.state import create
from scaling.training.step import AXIS, Step, build_train_step

ENGINE = {"ours": "pmap", "ours, jit": "jit"}  # by contender


def parallel(job: Job, task: Parallel) -> Prepared:
    """Compile the step for the first of the devices; on a CPU they are virtual and share its cores."""
    jax.config.update("jax_num_cpu_devices", max(getattr(other, "devices", 1) for other in job.tasks))
    engine = ENGINES[ENGINE[job.contender]](choose_devices(task.devices))
    arch, optimizer = architecture(task), optimizers.build(OptimizerSpec(lr=RATE), lambda _: RATE)
    network = Network(arch, jax.numpy.dtype(task.dtype))
    state = create(initialize(network, seed=0), optimizer, ema=False)
    packed = pack_state(state, optimizers.decay_mask("kernels"))
    step, batch = _step(network, optimizer, arch, task), _batch(arch, task)
    program = Program(engine, step, cut={1: 0}, donate=(0,))
    held = [engine.replicate(packed)]

    def call():
        held[0], metrics = program(held[0], engine.shard(batch), {})
        return metrics

    run = repeated(call, jax.block_until_ready, jax.default_backend() != "cpu")
    each = {name: rows[: task.batch // task.devices] for name, rows in batch.items()}
    traced = jax.make_jaxpr(step, axis_env=[(AXIS, task.devices)])(packed, each, {})
    facts = {"images": task.batch, "all_reduced_bytes": reduced_bytes(traced.jaxpr)}
    return Prepared(run, lambda: facts)


def _step(network: Network, optimizer, arch: Arch, task: Parallel) -> Step:
    made = Inputs(AugmentSpec(), arch.resolution, arch.num_classes, (127.5,) * 3, (127.5,) * 3)
    inputs = CLASSIFICATION.train_inputs(made)
    spec = TrainSpec(batch=task.batch)
    return build_train_step(CLASSIFICATION, network, optimizer, lambda _: RATE, inputs, spec, 0)


def _batch(arch: Arch, task: Parallel) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shape = (task.batch, task.resolution, task.resolution, arch.in_channels)
    return {
        "image": rng.integers(0, 256, shape, np.uint8),
        "label": rng.integers(0, arch.num_classes, task.batch, np.int32),
        "position": np.arange(task.batch, dtype=np.int32),
    }
