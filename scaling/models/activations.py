"""The activations and the gates of squeeze-excite by name, and activations whose gradient follows a rule."""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda x: x,
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "leaky_relu": partial(jax.nn.leaky_relu, negative_slope=0.2),
    "silu": jax.nn.silu,
    "hard_swish": jax.nn.hard_swish,
    "tanh": jnp.tanh,
    # LeCun et al. 1998, appendix A: 1 and -1 stay what they are, where its second derivative is largest
    "scaled_tanh": lambda x: 1.7159 * jnp.tanh(2 / 3 * x),
    "gelu": partial(jax.nn.gelu, approximate=False),
}

GATES: dict[str, Callable[[Any], Any]] = {
    "sigmoid": jax.nn.sigmoid,
    "hard_sigmoid": jax.nn.hard_sigmoid,
}

# Of gradients that are looked at, not descended: what a unit passes back
GUIDED, DECONVOLUTION = RULES = ("guided", "deconvolution")


def named(name: str) -> Callable[[Any], Any]:
    """Return an activation: a name of `ACTIVATIONS`, or "rule:name" with a rule of `RULES` for its gradient.

    "guided" passes back what is positive, and only where the unit itself is above 0 (arXiv 1412.6806);
    "deconvolution" passes back what is positive, whatever the unit did (arXiv 1311.2901). ValueError for a
    name that there is not.
    """
    rule, _, inner = name.rpartition(":")
    return _ruled(rule, inner) if rule else _known(name, ACTIVATIONS)


def gate(name: str) -> Callable[[Any], Any]:
    """Return a gate: a name of `GATES`; ValueError where there is none."""
    return _known(name, GATES)


def _known(name: str, functions: dict[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    if name not in functions:
        raise ValueError(f"{name!r} is no activation here: choose one of {', '.join(functions)}.")
    return functions[name]


@functools.cache
def _ruled(rule: str, name: str) -> Callable[[Any], Any]:
    function = _known(name, ACTIVATIONS)
    ruled: Any = jax.custom_vjp(lambda x: function(x))

    def backward(x, gradient):
        positive = jnp.maximum(gradient, 0)
        if rule == DECONVOLUTION:
            return (positive,)
        y, pull = jax.vjp(function, x)
        return (jnp.where(y > 0, pull(positive)[0], 0),)

    ruled.defvjp(lambda x: (function(x), x), backward)
    return ruled
