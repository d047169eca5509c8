"""The module of a cell: a graph of operations on the two outputs before it, or on one."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from scaling.arch import blocks as values
from scaling.arch.blocks.cell import options
from scaling.models.cell_edges import ActConvNorm, Edge, FactorizedReduction
from scaling.models.edge_choice import ChosenEdge, moves
from scaling.models.layers import Settings, drop_path, fold


class CellModule(nn.Module):
    """A cell; with two inputs it takes the pair (older, newer) and returns the pair for the cell after it.

    The older is None where one output is all there is. Each edge drops by itself, with the block's rate,
    unless it is the identity.
    """

    value: values.Cell
    width: int
    stride: int
    settings: Settings

    @nn.compact
    def __call__(self, given, train: bool, drop_rate=None, keys_b=None) -> Any:
        value = self.value
        older, newer = given if value.inputs == 2 else (None, given)
        states = self._inputs(older, newer, train)
        for node in range(len(value.nodes)):
            states.append(self._node(node, states, train, drop_rate, keys_b))
        x = self._leave(states, train)
        if value.inputs == 1:
            return x
        return (older if value.bypass and older is not None else newer), x

    @property
    def filters(self) -> int:
        return self.width // self.value.parts

    def _inputs(self, older, newer, train: bool) -> list[Any]:
        value, settings = self.value, self.settings
        if value.inputs == 1:
            return [newer]
        x = newer
        for i in range(value.entries):
            x = ActConvNorm(self.filters, settings, name=f"newer_{i}")(x, train)
        if older is None:
            return [newer if value.raw_first else self._fit(newer, newer, "older", train), x]
        return [self._fit(older, newer, "older", train), x]

    def _fit(self, x, like, name: str, train: bool, bare: bool = False) -> Any:
        """Bring a state to the filters, and to the side of `like`."""
        step = -(-x.shape[1] // like.shape[1])
        if step == 1:
            return ActConvNorm(self.filters, self.settings, bare=bare, name=name)(x, train)
        form = self.filters, self.settings, step, bare
        return FactorizedReduction(*form, name=f"{name}_reduced")(x, train)

    def _node(self, node: int, states: list[Any], train: bool, drop_rate, keys_b) -> Any:
        """Sum the edges of one node."""
        value, terms = self.value, []
        before = sum(map(len, value.nodes[:node]))
        for i, (operation, state) in enumerate(value.nodes[node]):
            stride = self.stride if state < value.inputs else 1
            form = operation, self.filters, stride, value.strided_skip, self.settings
            x, name, at = states[state], f"edge_{node}_{i}", before + i
            if len(options(operation)) > 1:
                y = ChosenEdge(*form, at, name=name)(x, train)
                rate = (
                    None
                    if drop_rate is None
                    else drop_rate * moves(operation, self._keeps(x, stride), self.settings.choice[at])
                )
            else:
                y = Edge(*form, name=name)(x, train)
                rate = None if y is x or operation == "none" else drop_rate
            terms.append(y if rate is None else drop_path(y, rate, fold(keys_b, at)))
        return sum(terms[1:], start=terms[0])

    def _keeps(self, x, stride: int) -> bool:
        """Whether "skip" is the identity: the first cell of a network may read a state of another width."""
        return stride == 1 and x.shape[-1] == self.filters

    def _leave(self, states: list[Any], train: bool) -> Any:
        """Join the leaving states, inputs that are still of another side or width made to fit."""
        value, last = self.value, states[-1]
        if not value.concat:
            return last
        joined = []
        for state in value.concat:
            x = states[state]
            same = x.shape[-1] == self.filters and x.shape[1] == last.shape[1]
            joined.append(x if same else self._fit(x, last, f"state_{state}", train, bare=True))
        return jnp.concatenate(joined, axis=-1)
