"""The JAX contenders: ours, plain lax operators, the same networks in stock Flax layers."""

from __future__ import annotations

from experiments.benchmarks.peers import flax_networks, flax_operators, our_devices, our_epoch, our_loader
from experiments.benchmarks.prepared import Prepared
from experiments.benchmarks.tasks import Epoch, FirstStep, Job, Load, Operator, Parallel, Step, Task
from scaling.training.allocator import keep_memory

MAKERS = {
    Step: flax_networks.step,
    FirstStep: flax_networks.first_step,
    Operator: flax_operators.operator,
    Load: our_loader.load,
    Parallel: our_devices.parallel,
    Epoch: our_epoch.epoch,
}


def prepare(job: Job, task: Task) -> Prepared:
    """Prepare any task; memory is kept as `experiments.train` keeps it, for all of them."""
    keep_memory()
    return MAKERS[type(task)](job, task)
