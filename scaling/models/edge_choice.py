"""An edge that holds several operations and does one of them, told by an integer when the program runs.

So one compiled network is every cell of a space: to train short proxies, to score, or as a supernet.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from scaling.arch.blocks.cell import options
from scaling.models.cell_edges import Edge
from scaling.models.initializers import inner_rngs
from scaling.models.layers import Settings

OPTION = "as_"  # before an operation's name, in the names of variables
COLLECTIONS = ("params", "batch_stats")


class ChosenEdge(nn.Module):
    """Does the operation that `settings.choice[at]` says, by its place in `operation`, "skip|conv_3x3|...".

    Each operation's variables stand below "as_NAME", as the `Edge` of that operation would have them. The
    operations that are not chosen get zero gradients and keep their statistics.
    """

    operation: str
    filters: int
    stride: int
    strided_skip: str
    settings: Settings
    at: int

    @nn.compact
    def __call__(self, x_nhwc, train: bool) -> Any:
        settings = dataclasses.replace(self.settings, choice=None, codes=None)
        edges = {
            OPTION + name: Edge(name, self.filters, self.stride, self.strided_skip, settings, parent=None)
            for name in options(self.operation)
        }
        held = {name: self._variables(name, edge, x_nhwc) for name, edge in edges.items()}
        updating = train and self.is_mutable_collection("batch_stats") and not self.is_initializing()
        branches = tuple(_branch(name, edge, train) for name, edge in edges.items())
        values = {name: {key: v.value for key, v in variables.items()} for name, variables in held.items()}
        operands = values, self.settings.codes, x_nhwc
        y: Any
        statistics: dict[str, Any]
        y, statistics = switch(branches, self.settings.choice[self.at], operands)
        for name, new in statistics.items():
            if updating:
                held[name]["batch_stats"].value = new
        return y

    def _variables(self, name: str, edge: Edge, x_nhwc) -> dict[str, Any]:
        """The collections of one operation; created, when initialising, by its own initialisation."""
        if self.is_initializing() and not self.has_variable("params", name):
            created = edge.init(inner_rngs(self), x_nhwc, False)
            return {key: self.variable(key, name, lambda v: v, value) for key, value in created.items()}
        return {key: self.variable(key, name) for key in COLLECTIONS if self.has_variable(key, name)}


def moves(operation: str, keeps: bool, choice) -> Any:
    """Whether drop-path drops the chosen operation: all but zero and, where it `keeps` its input, "skip"."""
    still = {"none", "skip"} if keeps else {"none"}
    return jnp.asarray([name not in still for name in options(operation)], jnp.float32)[choice]


def _branch(name: str, edge: Edge, train: bool) -> Callable[..., Any]:
    """One operation as (all variables, codes, x) -> (y, all statistics)."""

    def run(variables, codes_nn, x_nhwc):
        statistics = {key: value["batch_stats"] for key, value in variables.items() if "batch_stats" in value}
        seen = edge.clone(settings=dataclasses.replace(edge.settings, codes=codes_nn))
        y: Any
        y, updates = seen.apply(variables[name], x_nhwc, train, mutable=["batch_stats"])
        return y, {**statistics, **({name: updates["batch_stats"]} if "batch_stats" in updates else {})}

    return run


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def switch(branches: tuple[Callable[..., Any], ...], index, operands: tuple[Any, ...]) -> Any:
    """Run one branch; its gradient runs that branch again, and no other.

    The gradient that JAX derives keeps what every branch would need, zeros for those that did not run.
    """
    return lax.switch(index, branches, *operands)


def _forward(branches, index, operands):
    return switch(branches, index, operands), (index, operands)


def _backward(branches, residuals, gradients):
    index, operands = residuals
    return None, lax.switch(index, [_pullback(branch) for branch in branches], operands, gradients)


switch.defvjp(_forward, _backward)


def _pullback(branch: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    return lambda operands, gradients: jax.vjp(branch, *operands)[1](gradients)
