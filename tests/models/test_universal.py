"""A supernet told a cell is the network of that cell: values, gradients, statistics, first variables."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.arch.blocks.cell import Cell
from scaling.cost.counting import count
from scaling.models.cell import CellModule
from scaling.models.initialize import initialize
from scaling.models.layers import Settings
from scaling.models.network import Network, choosing
from scaling.models.universal import put, take
from scaling.zoo import cell_supernet, nasbench201
from search.spaces import catalogue

CELLS = ("000000", "111111", "421213", "023140")
# A block's state, operation, state, operation; the second reads states twice
POINTS = ("0100210100101101", "0001212111001011", "1001002110112011")
SPACES = {
    "nasbench201": catalogue.named("nasbench201", filters=4, repeats=2),
    "nasnet": catalogue.named(
        "nasnet",
        blocks=2,
        operations=("skip", "conv_1x1"),
        leaving="all",
        filters=4,
        repeats=(1, 1),
    ),
}
MEMBERS = [("nasbench201", cell) for cell in CELLS] + [("nasnet", point) for point in POINTS]
# One cell of each space by night; compiling each point's own program takes seconds
ONE_EACH = [
    pytest.param(*member, marks=() if member[1] in (CELLS[2], POINTS[0]) else pytest.mark.exhaustive)
    for member in MEMBERS
]
IMAGES = np.random.default_rng(0).normal(size=(8, 8, 8, 3)).astype(np.float32)


def specialised(space: str, point: str):
    arch = SPACES[space].decode([int(digit) for digit in point])
    return arch.replace(num_classes=3, resolution=8, drop_path_rate=0.0)


def held(space: str, point: str):
    """The supernet and the choice that makes it the network of a point."""
    find = SPACES[space].universal
    found = find and find(specialised(space, point))
    assert found is not None
    return found


def supernet(space: str):
    return held(space, dict(MEMBERS)[space])[0]


def told(variables, choice):
    return {**variables, "choice": {name: np.array(c, np.int32) for name, c in choice.items()}}


@functools.cache
def drawn_of(space: str):
    return initialize(Network(supernet(space)), 3)


@functools.cache
def variables_of(space: str):
    """First variables with scales, biases and statistics that tell one norm from another."""
    rng = np.random.default_rng(1)
    made = drawn_of(space)
    moved = lambda leaf: leaf + np.float32(rng.uniform(0.1, 0.5, leaf.shape))
    return {**jax.tree.map(moved, {k: made[k] for k in ("params", "batch_stats")}), "choice": made["choice"]}


def gradients_of(net: Network):
    """Compile variables -> loss, new statistics, gradients of parameters and images."""

    def loss(params, images, rest):
        logits_bk, updates = net.apply(
            {**rest, "params": params}, images, train=True, mutable=["batch_stats"]
        )
        return jnp.sum(jnp.sin(logits_bk + jnp.arange(3.0))), updates.get("batch_stats", {})

    grad = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))

    def run(variables):
        rest = {name: tree for name, tree in variables.items() if name != "params"}
        (value, statistics), (params, images) = grad(variables["params"], IMAGES, rest)
        return value, statistics, params, images

    return run


@functools.cache
def universal(space: str):
    return gradients_of(Network(supernet(space), operators="lax"))


@pytest.mark.nightly
@pytest.mark.parametrize(("space", "point"), ONE_EACH)
def test_the_universal_program_equals_the_specialised_one(space, point, assert_close):
    own, variables, (shared, choice) = specialised(space, point), variables_of(space), held(space, point)
    value, statistics, params, images = universal(space)(told(variables, choice))
    expected = gradients_of(Network(own, operators="lax"))(take(variables, shared, choice, own))
    found = take({"params": params, "batch_stats": statistics}, shared, choice, own)
    assert_close((value, found["batch_stats"], found["params"], images), expected, 1e-5)
    zeros = jax.tree.map(np.zeros_like, found)
    unused = put({"params": params, "batch_stats": statistics}, zeros, shared, choice, own)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(unused["params"])), "operations not done learn"
    before = put(variables, found, shared, choice, own)["batch_stats"]
    assert_close(statistics, before, 0)


@pytest.mark.representatives(2)
@pytest.mark.parametrize(("space", "point"), MEMBERS)
def test_variables_are_named_as_those_of_the_network(space, point, assert_close):
    own, (shared, choice) = specialised(space, point), held(space, point)
    drawn = initialize(Network(own), 3)
    assert_close(take(put(variables_of(space), drawn, shared, choice, own), shared, choice, own), drawn, 0)
    if space == "nasbench201":  # where an edge has one place, it is drawn by that
        assert_close(take(drawn_of(space), shared, choice, own), drawn, 0)


@pytest.mark.parametrize(("space", "point"), MEMBERS)
def test_all_networks_of_a_space_have_one_supernet(space, point):
    shared, choice = held(space, point)
    assert shared == supernet(space)
    names = choosing(shared)
    assert {names[kind]: len(kind[0].edges) for kind in names} == {k: len(c) for k, c in choice.items()}
    if space == "nasbench201":
        assert choice == {"cell_0": [int(digit) for digit in point]}
        assert nasbench201.universal(shared) is None


def test_a_network_beyond_a_supernet_is_refused():
    arch = specialised("nasnet", POINTS[0])
    other = dataclasses.replace(arch.stages[2], block=dataclasses.replace(arch.stages[2].block, entries=2))
    with pytest.raises(ValueError, match="'skip' is none of the supernet's operations"):
        cell_supernet.universal(arch, ("conv_1x1", "conv_3x3"))
    with pytest.raises(ValueError, match="cells of 2 forms"):
        cell_supernet.universal(arch.replace(stages=(*arch.stages[:2], other)), ("skip", "conv_1x1"))
    unread = catalogue.named("nasnet", blocks=2, operations="enas")
    assert unread.universal is None
    with pytest.raises(ValueError, match="leaving='all'"):
        cell_supernet.universal(unread.decode(np.zeros(16, int)), ("sep_3x3",))


def test_a_supernet_counts_all_parameters_and_the_costliest_operations():
    largest, cost = count(specialised("nasbench201", "333333")), count(supernet("nasbench201"))
    sizes = jax.tree.map(lambda leaf: leaf.size, drawn_of("nasbench201"))
    assert cost.params == sum(jax.tree.leaves(sizes["params"]))
    assert (cost.macs, cost.activations) == (largest.macs, largest.activations)


def test_a_cell_says_which_of_its_operations_there_is_not():
    with pytest.raises(ValueError, match="'conv_9x9' is no operation"):
        Cell(((("skip|conv_9x9", 0),),), inputs=1)


def test_edges_that_choose_drop_as_the_operation_does():
    x_nhwc = np.ones((64, 2, 2, 6), np.float32)
    keys_b = jax.random.split(jax.random.key(0), 64)
    cell = Cell(((("none|skip|avg_3x3", 0), ("avg_3x3|skip", 0), ("skip", 0)),), inputs=1)
    settings = Settings(choice=np.array([2, 0, 0]))
    y = CellModule(cell, 6, 1, settings).apply({}, x_nhwc, True, 0.5, keys_b)
    assert sorted(set(np.asarray(y).round(4).ravel())) == [1.0, 3.0, 5.0]
    settings = Settings(choice=np.array([0, 1, 0]))
    y = CellModule(cell, 6, 1, settings).apply({}, x_nhwc, True, 0.5, keys_b)
    assert set(np.asarray(y).ravel()) == {2.0}


def test_a_skip_that_widens_drops():
    x_nhwc = np.random.default_rng(0).normal(size=(64, 2, 2, 4)).astype(np.float32)
    keys_b = jax.random.split(jax.random.key(0), 64)
    cell = Cell(((("none|skip", 0),),), inputs=1)
    wider, narrow = (CellModule(cell, width, 1, Settings(choice=np.array([1]))) for width in (6, 4))
    variables = jax.jit(lambda key, x: wider.init(key, x, False))(jax.random.key(0), x_nhwc)
    run = jax.jit(lambda v, x, k: wider.apply(v, x, True, 0.5, k, mutable=["batch_stats"])[0])
    y = run(variables, x_nhwc, keys_b)
    assert 0 < np.sum(~np.any(y, axis=(1, 2, 3))) < 64
    np.testing.assert_array_equal(narrow.apply({}, x_nhwc, True, 0.5, keys_b), x_nhwc)
