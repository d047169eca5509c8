"""SynFlow of an untrained network (arXiv 2006.05467), in log space, so that no depth overflows.

The form of arXiv 2101.08134: one image of ones, absolute weights, batch norm left out, and the sum over all
kernels of weight times gradient of the summed logits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from scaling.models.layers import BatchNorm
from scaling.models.network import Network, StageModule


def log_synflow(net: Network, variables: Mapping[str, Any]) -> Any:
    """Return log(1 + SynFlow) of a network; 0 where no weight reaches the logits.

    With weights and image positive, ReLU passes everything and the network is linear. So each stage's
    output is divided by its largest value, which divides all gradients by the same number, and
    the logarithms are added at the end: only a stage by itself must stay below 1e38.
    """
    arch = net.arch.replace(activation="relu", drop_rate=0.0, drop_path_rate=0.0)
    net, flow = net.clone(arch=arch), _Flow()
    image = jnp.ones((1, *arch.input_shape))
    rest = {name: tree for name, tree in variables.items() if name != "params"}
    absolute = jax.tree.map(jnp.abs, variables["params"])

    def total(params):
        flow.logs = [jnp.float32(0.0)]
        logits_bk: Any = net.apply({**rest, "params": params}, image)
        return jnp.sum(logits_bk), flow.logs[-1]

    with nn.intercept_methods(flow):  # also around the gradient, which runs operations again
        gradients, log_scale = jax.grad(total, has_aux=True)(absolute)
    scores = (jnp.sum(w * g) for w, g in zip(*map(kernels, (absolute, gradients))))
    return jnp.logaddexp(0.0, jnp.log(sum(scores)) + log_scale)


def kernels(params: Any) -> list[Any]:
    """The kernels of a tree of parameters, one array a layer: stacked ones apart."""
    found = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        names = [entry.key for entry in path]
        if names[-1] == "kernel":
            found += list(leaf) if "blocks" in names else [leaf]
    return found


class _Flow:
    """Leaves batch norm out, and brings what leaves each stage to a maximum of 1.

    `logs` are the logarithms of what the outputs so far were divided by, in all.
    """

    def __init__(self):
        self.logs: list[Any] = []

    def __call__(self, call, args, kwargs, context) -> Any:
        if context.method_name != "__call__":
            return call(*args, **kwargs)
        if isinstance(context.module, BatchNorm):
            return args[0]
        if not isinstance(context.module, StageModule):
            return call(*args, **kwargs)
        return self._scaled(call(self._level(args[0]), *args[1:], **kwargs))

    def _level(self, given: Any) -> Any:
        """Bring the older of two outputs to the scale of the newer."""
        if not isinstance(given, tuple) or given[0] is None:
            return given
        return given[0] * jnp.exp(self.logs[-2] - self.logs[-1]), given[1]

    def _scaled(self, x: Any) -> Any:
        largest = jax.lax.stop_gradient(jnp.max(x))
        largest = jnp.where(largest > 0, largest, 1.0)
        self.logs.append(self.logs[-1] + jnp.log(largest))
        return x / largest
