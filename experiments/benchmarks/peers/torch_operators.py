"""One operator in PyTorch, eager, channels_last."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from experiments.benchmarks.peers.torch_networks import DEVICE
from experiments.benchmarks.prepared import Prepared, repeated
from experiments.benchmarks.tasks import Job, Operator

ACTIVATIONS = {
    "relu": functional.relu,
    "relu6": functional.relu6,
    "silu": functional.silu,
    "hard_swish": functional.hardswish,
    "": lambda x: x,
}


def operator(job: Job, task: Operator) -> Prepared:
    """Hold the operator with random inputs, alone or with the gradients of all its inputs."""
    del job
    if task.padding != "torch":
        raise ValueError(f"{task.model} pads as {task.padding!r}: PyTorch's operators pad symmetrically.")
    shapes = _shapes(task)
    inputs = [_random(shape, task.dtype, 1.0 if i == 0 else 0.1) for i, shape in enumerate(shapes)]
    function = {"norm": _norm, "se": _squeeze_excite}.get(task.op, _convolution)(task)
    call = _forward(function, inputs) if task.mode == "forward" else _both(function, inputs)
    return Prepared(repeated(call, _wait, DEVICE == "cuda"))


def _shapes(task: Operator) -> list[tuple[int, ...]]:
    c, f = task.channels, task.features
    image = (task.batch, c, task.side, task.side)
    if task.op == "norm":
        return [image, (c,), (c,)]
    if task.op == "se":
        return [image, (f, c, 1, 1), (f,), (c, f, 1, 1), (c,)]
    return [image, (f, c // task.groups, task.kernel, task.kernel)]


def _convolution(task: Operator) -> Callable:
    padding = task.kernel // 2
    return lambda x, kernel: functional.conv2d(x, kernel, None, task.stride, padding, 1, task.groups)


def _norm(task: Operator) -> Callable:
    mean, var = torch.zeros(task.channels, device=DEVICE), torch.ones(task.channels, device=DEVICE)
    activate = ACTIVATIONS[task.activation]
    return lambda x, scale, bias: activate(functional.batch_norm(x, mean, var, scale, bias, training=True))


def _squeeze_excite(task: Operator) -> Callable:
    activate = ACTIVATIONS[task.activation]

    def function(x, reduce, reduce_bias, expand, expand_bias):
        gate = activate(functional.conv2d(x.mean((2, 3), keepdim=True), reduce, reduce_bias))
        return x * torch.sigmoid(functional.conv2d(gate, expand, expand_bias))

    return function


def _forward(function: Callable, inputs: list) -> Callable:
    def call():
        with torch.inference_mode():
            return function(*inputs)

    return call


def _both(function: Callable, inputs: list) -> Callable:
    inputs = [x.requires_grad_() for x in inputs]
    with torch.no_grad():
        grad = torch.randn_like(function(*inputs))

    def call():
        y = function(*inputs)
        return y, torch.autograd.grad(y, inputs, grad)

    return call


def _random(shape: tuple[int, ...], dtype: str, size: float):
    """Normal numbers of standard deviation `size`; vectors (scales, biases) of "norm" stay float32."""
    values = size * torch.randn(shape, device=DEVICE)
    if len(shape) == 1:
        return values
    return values.to(getattr(torch, dtype)).to(memory_format=torch.channels_last)


def _wait(_) -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()
