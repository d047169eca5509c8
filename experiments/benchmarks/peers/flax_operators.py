"""One operator in JAX: in our form, or as one would write it with lax and stock Flax."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from experiments.benchmarks.prepared import Prepared, repeated
from experiments.benchmarks.tasks import Job, Operator
from scaling.models.activations import ACTIVATIONS
from scaling.models.layers import BatchNorm, Settings, SqueezeExcite, convolve
from scaling.models.operators import Operators, operators_of

EPS = 1e-5


def operator(job: Job, task: Operator) -> Prepared:
    """Compile the operator, alone or with the gradients of all its inputs."""
    function, shapes = operation(job.contender, task)
    rng = np.random.default_rng(0)
    inputs = [_random(rng, shape, task.dtype, 1.0 if i == 0 else 0.1) for i, shape in enumerate(shapes)]
    if task.mode == "forward":
        program = jax.jit(function)
    else:
        grad = _random(rng, jax.eval_shape(function, *inputs).shape, task.dtype, 1.0)
        program, inputs = jax.jit(_with_gradients(function)), [grad, *inputs]
    run = repeated(lambda: program(*inputs), jax.block_until_ready, jax.default_backend() != "cpu")
    return Prepared(run, lambda: {"operators": str(_operators(job.contender))})


def operation(contender: str, task: Operator) -> tuple[Callable[..., Any], list[tuple[int, ...]]]:
    """Return a function of arrays, and their shapes, the image's first."""
    image = (task.batch, task.side, task.side, task.channels)
    stock = contender == "lax"
    settings = Settings(
        task.activation or "relu",
        EPS,
        padding=task.padding,
        dtype=jnp.dtype(task.dtype),
        operators=_operators(contender),
    )
    if task.op == "norm":
        return (_stock_norm if stock else _norm)(task, settings), [image, (task.channels,), (task.channels,)]
    if task.op == "se":
        return _squeeze_excite(task, settings), [image, *_gate_shapes(task)]
    kernel = (task.kernel, task.kernel, task.channels // task.groups, task.features)
    return lambda x_nhwc, kernel_hwio: convolve(x_nhwc, kernel_hwio, task.stride, task.groups, settings), [
        image,
        kernel,
    ]


def _operators(contender: str) -> Operators:
    """The operators that a contender uses: the backend's, or those of which it is to show the worth."""
    if contender == "shifted depthwise":
        return dataclasses.replace(operators_of(), depthwise="shifted")
    return operators_of({"lax": "lax", "ours, no kernels": "cpu"}.get(contender))


def _norm(task: Operator, settings: Settings) -> Callable:
    return _normalized(BatchNorm(settings, bool(task.activation)), task, lambda x: x, True)


def _stock_norm(task: Operator, settings: Settings) -> Callable:
    module = nn.BatchNorm(False, epsilon=EPS, dtype=settings.dtype)
    return _normalized(module, task, ACTIVATIONS.get(task.activation, lambda x: x))


def _normalized(module: nn.Module, task: Operator, activate: Callable, *call: Any) -> Callable:
    """Return a function of image, scale and bias that normalises by the batch's statistics."""
    statistics = {"mean": jnp.zeros(task.channels), "var": jnp.ones(task.channels)}

    def function(x_nhwc, scale_c, bias_c):
        variables = {"params": {"scale": scale_c, "bias": bias_c}, "batch_stats": statistics}
        return activate(module.apply(variables, x_nhwc, *call, mutable=["batch_stats"])[0])

    return function


def _gate_shapes(task: Operator) -> list[tuple[int, ...]]:
    c, s = task.channels, task.features
    return [(1, 1, c, s), (s,), (1, 1, s, c), (c,)]


def _squeeze_excite(task: Operator, settings: Settings) -> Callable:
    module = SqueezeExcite(task.features, settings, task.activation)

    def function(x, reduce, reduce_bias, expand, expand_bias):
        layers = {"reduce": (reduce, reduce_bias), "expand": (expand, expand_bias)}
        params = {name: {"kernel": kernel, "bias": bias} for name, (kernel, bias) in layers.items()}
        return module.apply({"params": params}, x)

    return function


def _with_gradients(function: Callable) -> Callable:
    """Return value and gradients, so that the value is computed although linear gradients need it not."""

    def both(grad, *inputs):
        value, pull = jax.vjp(function, *inputs)
        return value, pull(grad)

    return both


def _random(rng: np.random.Generator, shape: tuple[int, ...], dtype: str, size: float) -> jax.Array:
    """Normal numbers of standard deviation `size`; vectors (scales, biases) stay float32."""
    values = np.float32(size) * rng.standard_normal(shape, np.float32)
    return jnp.asarray(values, jnp.float32 if len(shape) == 1 else jnp.dtype(dtype))
