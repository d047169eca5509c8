"""Parameters, multiply-adds, activations and receptive field, by walking a network's jaxpr.

MACs are the multiply-adds of convolutions and matrix products plus their bias adds; padded taps count;
normalisation, activation functions, pooling and gates are free. Activations are the output elements
of convolutions, matrix products and max pools. These are the definitions of facebookresearch/pycls.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp

from scaling.arch.arch import Sized
from scaling.cost.traced import Value, inner_programs, largest, leaf_value, window
from scaling.models.initialize import shapes_of
from scaling.models.network import Applied, build


@dataclass(frozen=True)
class Layer:
    """One convolution, matrix product, max pool, or module with parameters of its own.

    `kind` is conv, depthwise, grouped, dense, max_pool, norm or other; `output_shape` is that of one
    example, empty where the layer is only parameters. `biases` are those of `macs` that add a bias.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...] = ()
    params: int = 0
    macs: int = 0
    activations: int = 0
    biases: int = 0


@dataclass(frozen=True)
class Cost:
    """What one forward pass of one example costs.

    `params` are trainable, `batch_stats` the running means and variances; `receptive_field` is the
    side in pixels that one value of the last feature map sees, over the longest path, gates by
    global pooling left out.
    """

    params: int
    batch_stats: int
    macs: int
    activations: int
    receptive_field: int
    layers: tuple[Layer, ...] = ()

    @property
    def flops(self) -> int:
        """Two floating-point operations a multiply-add."""
        return 2 * self.macs

    @property
    def params_with_bn_stats(self) -> int:
        return self.params + self.batch_stats


@functools.lru_cache(maxsize=4096)
def count(arch: Sized, layers: bool = False) -> Cost:
    """Count one forward pass of an architecture at its resolution, in evaluation mode."""
    cost = _walked(arch)
    return cost if layers else replace(cost, layers=())


@functools.lru_cache(maxsize=64)  # so that whoever asks for the layers after the sums walks once
def _walked(arch: Sized) -> Cost:
    return count_module(build(arch, operators="lax"), arch.input_shape, layers=True, train=False)


def count_module(module: Applied, input_shape: Sequence[int], layers: bool = False, **call: Any) -> Cost:
    """Count any Linen module on one example of `input_shape` (without the batch axis).

    `call` are keyword arguments of the module's call. Nothing is computed or compiled. Raises
    ValueError where a product hides in control flow whose length the program does not tell.
    """
    walker, variables, _ = walk(module, input_shape, **call)
    return Cost(
        params=_size(variables.get("params", {})),
        batch_stats=_size(variables.get("batch_stats", {})),
        macs=sum(layer.macs for layer in walker.layers),
        activations=sum(layer.activations for layer in walker.layers),
        receptive_field=walker.reach,
        layers=tuple(walker.layers) if layers else (),
    )


def walk(
    module: Applied, input_shape: Sequence[int], **call: Any
) -> tuple[Walker, dict[str, Any], list[Value]]:
    """Walk a module's program on one example; return the walker, abstract variables and output values."""
    x = jax.ShapeDtypeStruct((1, *input_shape), jnp.float32)
    variables = shapes_of(module, x, **call)
    closed = jax.make_jaxpr(lambda v, x: module.apply(v, x, **call))(variables, x)
    walker = Walker()
    leaves = [leaf_value(path, leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(variables)]
    outputs = walker.walk(closed.jaxpr, [*leaves, Value(reach=(1, 1))])
    return walker, variables, outputs


# Primitives that move numbers without changing them
COPIES = {
    "reshape",
    "broadcast_in_dim",
    "convert_element_type",
    "squeeze",
    "transpose",
    "expand_dims",
    "copy",
    "reduce_precision",
    "stop_gradient",
    "optimization_barrier",
    "sharding_constraint",
}

# Primitives that run an inner program once, and the parameter that holds it
CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "checkpoint": "jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
}

PRODUCTS = {"conv_general_dilated", "dot_general"}


@dataclass
class Walker:
    """Follows a program equation by equation and collects its layers; loops are followed in full."""

    layers: list[Layer] = field(default_factory=list)
    claimed: set[tuple[str, ...]] = field(default_factory=set)
    reach: int = 1

    def walk(self, jaxpr: Any, inputs: Sequence[Value]) -> list[Value]:
        """Follow one jaxpr from the values of its arguments to those of its results."""
        values: dict[Any, Value] = dict(zip(jaxpr.invars, inputs))

        def read(atom) -> Value:
            return Value() if hasattr(atom, "val") else values.get(atom, Value())

        for eqn in jaxpr.eqns:
            outputs = self._step(eqn, [read(atom) for atom in eqn.invars])
            values.update(zip(eqn.outvars, outputs))
            self.reach = max([self.reach, *(max(value.reach) for value in outputs)])
        return [read(atom) for atom in jaxpr.outvars]

    def _step(self, eqn: Any, inputs: list[Value]) -> list[Value]:
        name = eqn.primitive.name
        if name in CALLS:
            inner = eqn.params[CALLS[name]]
            return self.walk(getattr(inner, "jaxpr", inner), inputs)
        if name in COPIES:
            return list(inputs[: len(eqn.outvars)])
        if name in HANDLERS:
            return HANDLERS[name](self, eqn, inputs)
        if any(_holds_product(inner) for inner in inner_programs(eqn)):
            raise ValueError(
                f"cannot count the convolutions or matrix products inside {name!r}: the program does not "
                "say how often they run. Write the loop with lax.scan, or without a condition."
            )
        return self._other(eqn, inputs)

    def _other(self, eqn: Any, inputs: list[Value]) -> list[Value]:
        """Anything free: it keeps the largest receptive field, and may use parameters."""
        for value, atom in zip(inputs, eqn.invars):
            if value.leaf is not None and value.leaf not in self.claimed:
                self._add_parameters(value.leaf, self._claim(value, atom))
        return [largest(inputs)] * len(eqn.outvars)

    def _convolution(self, eqn: Any, inputs: list[Value]) -> list[Value]:
        numbers, kernel = eqn.params["dimension_numbers"], eqn.invars[1].aval.shape
        features = kernel[numbers.rhs_spec[0]]
        groups = eqn.params["feature_group_count"]
        taps = math.prod(kernel) // features
        single = kernel[numbers.rhs_spec[1]] == 1
        kind = "conv" if groups == 1 else "depthwise" if single else "grouped"
        index = self._add_product(eqn, inputs, kind, taps)
        sides = [kernel[axis] for axis in numbers.rhs_spec[2:]]
        extents = [(k - 1) * d + 1 for k, d in zip(sides, eqn.params["rhs_dilation"])]
        before = [low for low, _ in eqn.params["padding"]]
        moved = window(inputs[0], extents, eqn.params["window_strides"], before)
        return [replace(moved, product=index)]

    def _dot(self, eqn: Any, inputs: list[Value]) -> list[Value]:
        (contracted, _), _ = eqn.params["dimension_numbers"]
        taps = math.prod(eqn.invars[0].aval.shape[axis] for axis in contracted)
        index = self._add_product(eqn, inputs, "dense", taps)
        return [replace(largest(inputs), product=index)]

    def _add_product(self, eqn: Any, inputs: list[Value], kind: str, taps: int) -> int:
        """Add a layer of `taps` multiply-adds for each output element; return its index."""
        shape = eqn.outvars[0].aval.shape
        leaf = next((value.leaf for value in inputs if value.leaf is not None), None)
        params = sum(self._claim(value, atom) for value, atom in zip(inputs, eqn.invars))
        size = math.prod(shape)
        name = "/".join(leaf[:-1]) if leaf else _scope(eqn)
        self.layers.append(Layer(name, kind, tuple(shape[1:]), params, size * taps, size))
        return len(self.layers) - 1

    def _add(self, eqn: Any, inputs: list[Value]) -> list[Value]:
        """An addition: a bias where a parameter meets the bare output of a product."""
        for i, (value, other) in enumerate(zip(inputs, reversed(inputs))):
            if value.product is not None and other.leaf is not None:
                layer, added = self.layers[value.product], math.prod(eqn.outvars[0].aval.shape)
                self.layers[value.product] = replace(
                    layer,
                    params=layer.params + self._claim(other, eqn.invars[1 - i]),
                    macs=layer.macs + added,
                    biases=layer.biases + added,
                )
        return self._other(eqn, inputs)

    def _max_pool(self, eqn: Any, inputs: list[Value]) -> list[Value]:
        shape = eqn.outvars[0].aval.shape
        self.layers.append(Layer(_scope(eqn), "max_pool", tuple(shape[1:]), activations=math.prod(shape)))
        return self._pool(eqn, inputs)

    def _pool(self, eqn: Any, inputs: list[Value]) -> list[Value]:
        sides, dilations = eqn.params["window_dimensions"], eqn.params["window_dilation"]
        extents = [(side - 1) * dilation + 1 for side, dilation in zip(sides, dilations)]
        before = [low for low, _ in eqn.params["padding"]]
        return [window(inputs[0], extents[1:-1], eqn.params["window_strides"][1:-1], before[1:-1])]

    def _reduce(self, eqn: Any, inputs: list[Value]) -> list[Value]:
        """A reduction over two axes or more of a feature map ends its receptive field."""
        outputs = self._other(eqn, inputs)
        return [Value()] if len(eqn.params["axes"]) > 1 else outputs

    def _slice(self, eqn: Any, inputs: list[Value]) -> list[Value]:
        strides = eqn.params["strides"] or ()
        starts = eqn.params["start_indices"]
        before = [-start for start in starts[1:-1]]
        return [
            window(inputs[0].at(starts[0]), (1,) * len(before), strides[1:-1] or (1,) * len(before), before)
        ]

    def _pad(self, eqn: Any, inputs: list[Value]) -> list[Value]:
        before = [low for low, _, _ in eqn.params["padding_config"][1:-1]]
        ones = (1,) * len(before)
        return [window(value, ones, ones, before) for value in self._other(eqn, inputs)]

    def _split(self, eqn: Any, inputs: list[Value]) -> list[Value]:
        return [inputs[0].at(i) for i in range(len(eqn.outvars))]

    def _scan(self, eqn: Any, inputs: list[Value]) -> list[Value]:
        """Follow the body once an iteration, so that each layer is named and counted."""
        consts, carries = _scan_parts(eqn.params)
        fixed, carry, stacked = inputs[:consts], inputs[consts : consts + carries], inputs[consts + carries :]
        results: list[Value] = []
        for i in range(eqn.params["length"]):
            results = self.walk(eqn.params["jaxpr"].jaxpr, [*fixed, *carry, *(v.at(i) for v in stacked)])
            carry = results[:carries]
        return [replace(v, leaf=None, product=None) for v in results or carry]

    def _choose(self, eqn: Any, inputs: list[Value]) -> list[Value]:
        """Follow every branch; of layers, only those of the branch with most multiply-adds cost anything."""
        walks, outputs = [], []
        for branch in eqn.params["branches"]:
            walker = Walker(claimed=self.claimed)
            outputs.append(walker.walk(branch.jaxpr, inputs[1:]))
            walks.append(walker)
        costliest = max(walks, key=lambda walker: sum(layer.macs for layer in walker.layers))
        for walker in walks:
            free = {} if walker is costliest else {"macs": 0, "activations": 0, "biases": 0}
            self.layers += [replace(layer, **free) for layer in walker.layers]
        return [replace(largest(values), leaf=None, product=None) for values in zip(*outputs)]

    def _claim(self, value: Value, atom: Any) -> int:
        """Return a parameter's size the first time it is used, then 0."""
        if value.leaf is None or value.leaf in self.claimed:
            return 0
        self.claimed.add(value.leaf)
        return math.prod(atom.aval.shape)

    def _add_parameters(self, leaf: tuple[str, ...], size: int) -> None:
        """Add parameters that no product uses to their module's layer."""
        name = "/".join(leaf[:-1])
        if self.layers and self.layers[-1].name == name:
            self.layers[-1] = replace(self.layers[-1], params=self.layers[-1].params + size)
        else:
            self.layers.append(Layer(name, "norm" if "norm" in name.lower() else "other", params=size))


def _scan_parts(params: dict[str, Any]) -> tuple[int, int]:
    """How many of a scan's operands are constants and how many are carried; JAX 0.12 says it by trees."""
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    consts, carried, _ = params["ft_in"].unpack()
    return len(consts), len(carried)


HANDLERS = {
    "conv_general_dilated": Walker._convolution,
    "dot_general": Walker._dot,
    "add": Walker._add,
    "add_any": Walker._add,
    "reduce_window_max": Walker._max_pool,
    "reduce_window_sum": Walker._pool,
    "reduce_window_min": Walker._pool,
    "reduce_sum": Walker._reduce,
    "reduce_max": Walker._reduce,
    "slice": Walker._slice,
    "pad": Walker._pad,
    "split": Walker._split,
    "scan": Walker._scan,
    "cond": Walker._choose,
}


def _size(tree: Any) -> int:
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def _scope(eqn: Any) -> str:
    """The Linen modules around an equation, or the operator's name."""
    _, _, inner = str(eqn.source_info.name_stack).partition("/")
    return inner or eqn.primitive.name


def _holds_product(jaxpr: Any) -> bool:
    return any(
        eqn.primitive.name in PRODUCTS or any(map(_holds_product, inner_programs(eqn))) for eqn in jaxpr.eqns
    )
