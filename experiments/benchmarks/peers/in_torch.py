"""The PyTorch contenders: timm's networks, PyTorch's operators, its DataLoader."""

from __future__ import annotations

import torch

from experiments.benchmarks.peers import torch_epoch, torch_loader, torch_networks, torch_operators
from experiments.benchmarks.prepared import Prepared
from experiments.benchmarks.tasks import Epoch, Job, Load, Operator, Step, Task

MAKERS = {
    Step: torch_networks.step,
    Operator: torch_operators.operator,
    Load: torch_loader.load,
    Epoch: torch_epoch.epoch,
}


def prepare(job: Job, task: Task) -> Prepared:
    torch.set_num_threads(job.cores)
    torch.manual_seed(0)
    return MAKERS[type(task)](job, task)
