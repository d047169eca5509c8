"""One step of timm's network in PyTorch: eager in either layout, or compiled."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import scaling.zoo
from experiments.benchmarks import memory
from experiments.benchmarks.peers import torch_cifar, torch_dense, torch_nasbench201, torch_wide
from experiments.benchmarks.prepared import Prepared, repeated
from experiments.benchmarks.tasks import Job, Step
from scaling.arch.map_heads import MapHead

RATE = 1e-5
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def step(job: Job, task: Step) -> Prepared:
    """Build the network and hold a step of it; a failing compiler raises here."""
    idle = memory.resident()
    call, start = _step(job, task), time.perf_counter()
    run = repeated(call, _wait, DEVICE == "cuda")
    facts = {"idle_bytes": idle, "compile_seconds": time.perf_counter() - start}
    if DEVICE == "cpu":
        return Prepared(run, lambda: facts)
    return Prepared(run, lambda: facts | _device_peak(), torch.cuda.reset_peak_memory_stats)


def build(model: str, resolution: int) -> nn.Module:
    """Make timm's network of that name, or for small images our own; nothing drops by default."""
    family, *sizes = re.split("[_-]", model)
    if family == "wrn":
        return torch_wide.WideResNet(*map(int, sizes))
    if family == "nasbench201":
        return torch_nasbench201.NasBench201(*sizes)
    if model.startswith("cifar_resnet"):
        return torch_cifar.CifarResNet(scaling.zoo.get(model).depth)
    if isinstance(scaling.zoo.get(model).head, MapHead):
        return torch_dense.build(model, resolution)
    from experiments.benchmarks.peers.torchvision_shim import make_importable

    make_importable()
    import timm

    return timm.create_model(model)


def _step(job: Job, task: Step) -> Callable[[], Any]:
    layout = torch.contiguous_format if job.contender == "torch NCHW" else torch.channels_last
    train = task.mode == "train"
    net = build(task.model, task.resolution).to(DEVICE, memory_format=layout).train(train)
    classes = scaling.zoo.get(task.model).num_classes
    images = torch.randn(task.batch, 3, task.resolution, task.resolution, device=DEVICE)
    labels = torch.randint(classes, (task.batch,), device=DEVICE)
    forward = torch.compile(net) if job.contender == "torch.compile" else net
    images = images.to(memory_format=layout)
    if train:
        return _training(net, forward, images, labels, task.dtype)
    return _inference(forward, images, task.dtype)


def _training(net, forward, images, labels, dtype: str) -> Callable[[], Any]:
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)

    def call():
        optimizer.zero_grad(set_to_none=True)
        with _precision(dtype):
            loss = _objective(forward(images), labels)
        loss.backward()
        optimizer.step()

    return call


def _objective(outputs: Any, labels: torch.Tensor) -> torch.Tensor:
    """As `flax_networks.objective`."""
    if isinstance(outputs, torch.Tensor):
        return nn.functional.cross_entropy(outputs, labels)
    return sum(value.square().mean() for value in torch_dense.values(outputs))


def _inference(forward, images, dtype: str) -> Callable[[], Any]:
    def call():
        with torch.inference_mode(), _precision(dtype):
            return forward(images)

    return call


def _precision(dtype: str):
    """Compute in `dtype` with float32 parameters, as ours does."""
    return torch.autocast(DEVICE, getattr(torch, dtype), enabled=dtype != "float32")


def _wait(_) -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def _device_peak() -> dict[str, int]:
    return {"peak_bytes": torch.cuda.max_memory_allocated()}
