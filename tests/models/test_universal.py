"""A supernet told a cell is the network of that cell: values, gradients, statistics, first variables."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.cells import Cell
from scaling.counting import count
from scaling.models.initialize import initialize
from scaling.models.network import Network
from scaling.models.universal import put, take
from scaling.zoo import nasbench201

CELLS = ("000000", "111111", "421213", "023140")
SUPERNET = nasbench201.network(nasbench201.any_cell(), 4, 2, num_classes=3).replace(resolution=8)
IMAGES = np.random.default_rng(0).normal(size=(8, 8, 8, 3)).astype(np.float32)


def specialised(cell: str):
    return nasbench201.network(nasbench201.cell(cell), 4, 2, num_classes=3).replace(resolution=8)


def choice(cell: str):
    return {"cell_0": [int(digit) for digit in cell]}


def told(variables, cell: str):
    return {**variables, "choice": {name: np.array(c, np.int32) for name, c in choice(cell).items()}}


@pytest.fixture(scope="module")
def variables():
    """First variables with scales, biases and statistics that tell one norm from another."""
    rng = np.random.default_rng(1)
    made = initialize(Network(SUPERNET), 0)
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


@pytest.fixture(scope="module")
def universal():
    return gradients_of(Network(SUPERNET, form="lax"))


@pytest.mark.parametrize("cell", CELLS)
def test_the_universal_program_equals_the_specialised_one(cell, universal, variables, assert_close):
    value, statistics, params, images = universal(told(variables, cell))
    own = take(variables, SUPERNET, choice(cell))
    expected = gradients_of(Network(specialised(cell), form="lax"))(own)
    found = take({"params": params, "batch_stats": statistics}, SUPERNET, choice(cell))
    assert_close((value, found["batch_stats"], found["params"], images), expected, 1e-5)
    zeros = jax.tree.map(np.zeros_like, found)
    unused = put({"params": params, "batch_stats": statistics}, zeros, SUPERNET, choice(cell))
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(unused["params"])), "operations not done learn"
    before = put(variables, found, SUPERNET, choice(cell))["batch_stats"]
    assert_close(statistics, before, 0)


def test_variables_are_named_and_drawn_as_those_of_the_network(variables, assert_close):
    drawn = initialize(Network(SUPERNET), 3)
    for cell in CELLS:
        own = initialize(Network(specialised(cell)), 3)
        assert_close(take(drawn, SUPERNET, choice(cell)), own, 0)
        assert_close(take(put(variables, own, SUPERNET, choice(cell)), SUPERNET, choice(cell)), own, 0)


def test_a_network_of_these_cells_finds_its_supernet():
    for cell in CELLS:
        assert nasbench201.universal(specialised(cell)) == (SUPERNET, choice(cell))
    assert nasbench201.universal(SUPERNET) is None


def test_a_supernet_counts_all_parameters_and_the_costliest_operations():
    largest, cost = count(specialised("333333")), count(SUPERNET)
    sizes = jax.tree.map(lambda leaf: leaf.size, initialize(Network(SUPERNET), 0))
    assert cost.params == sum(jax.tree.leaves(sizes["params"]))
    assert (cost.macs, cost.activations) == (largest.macs, largest.activations)


def test_a_cell_says_which_of_its_operations_there_is_not():
    with pytest.raises(ValueError, match="'conv_9x9' is no operation"):
        Cell(((("skip|conv_9x9", 0),),), inputs=1)


def test_edges_that_choose_drop_as_the_operation_does(universal):
    del universal
    x_nhwc = np.ones((64, 2, 2, 6), np.float32)
    keys_b = jax.random.split(jax.random.key(0), 64)
    from scaling.models.cell import CellModule
    from scaling.models.layers import Settings

    cell = Cell(((("none|skip|avg_3x3", 0), ("avg_3x3|skip", 0), ("skip", 0)),), inputs=1)
    settings = Settings(choice=np.array([2, 0, 0]))
    y = CellModule(cell, 6, 1, settings).apply({}, x_nhwc, True, 0.5, keys_b)
    assert sorted(set(np.asarray(y).round(4).ravel())) == [1.0, 3.0, 5.0]
    settings = Settings(choice=np.array([0, 1, 0]))
    y = CellModule(cell, 6, 1, settings).apply({}, x_nhwc, True, 0.5, keys_b)
    assert set(np.asarray(y).ravel()) == {2.0}
