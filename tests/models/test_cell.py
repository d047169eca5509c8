"""Cells compute the graph that their value states, however they are run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv
from scaling.arch.blocks.cell import Cell
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.cost.counting import count_module
from scaling.models.cell import CellModule
from scaling.models.cell_edges import Edge, FactorizedReduction
from scaling.models.initialize import initialize
from scaling.models.layers import Settings
from scaling.models.network import Network
from scaling.zoo import nasbench201

PARTS = (
    (("sep_3x3", 1), ("skip", 0)),
    (("avg_3x3", 2), ("conv_1x7_7x1", 1)),
    (("dil_3x3", 0), ("none", 1)),
)
NORMAL = Cell(PARTS, concat=(0, 2, 3, 4), raw_first=True)
REDUCTION = Cell(PARTS, concat=(1, 3, 4), strided_skip="factorized", entries=2, bypass=True)


def tiny(**changes) -> Arch:
    """Cells of both kinds at 8 px: three normal ones, a reduction whose older input goes on, two more."""
    fields = {
        "name": "tiny",
        "family": "tests",
        "stem": (Stage(Conv(act=False), 8),),
        "stages": (
            Stage(NORMAL, 32, repeats=3),
            Stage(REDUCTION, 24, stride=2),
            Stage(NORMAL, 32, repeats=2),
        ),
        "head": Head(act=True),
        "resolution": 8,
        "num_classes": 3,
        "drop_path_rate": 0.1,
    }
    return Arch(**{**fields, **changes})


def gradients(net: Network, variables):
    """Loss gradients, logits and new statistics of one training pass with fixed keys."""
    x_nhwc = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype(np.float32)
    keys_b = jax.random.split(jax.random.key(1), 4)

    def loss(params):
        logits_bk, updates = net.apply(
            {**variables, "params": params}, x_nhwc, train=True, keys_b=keys_b, mutable=["batch_stats"]
        )
        return jnp.sum(jnp.sin(logits_bk + jnp.arange(3.0))), (logits_bk, updates["batch_stats"])

    return jax.jit(jax.grad(loss, has_aux=True))(variables["params"])


@pytest.mark.nightly
def test_scanned_cells_equal_unrolled_ones_and_all_parameters_learn(assert_close):
    variables = initialize(Network(tiny()), 0)
    assert set(variables["params"]["stages_0"]) == {"first", "second", "rest"}
    assert set(variables["params"]["stages_2"]) == {"first", "second"}
    unrolled = gradients(Network(tiny(), scan=False, operators="lax"), variables)
    # six cells of norms over few pixels amplify rounding; a wrong edge or key would differ by about 1
    assert_close(gradients(Network(tiny(), scan=True, remat=True), variables), unrolled, 1e-2)
    leaves = jax.tree_util.tree_leaves_with_path(unrolled[0])
    assert not [jax.tree_util.keystr(path) for path, leaf in leaves if not np.any(leaf)]


def test_a_cell_adds_the_edges_of_each_node():
    x_nhwc = np.random.default_rng(0).normal(size=(2, 4, 4, 6)).astype(np.float32)
    multiples = {"111111": 4, "000111": 1, "101011": 2, "000000": 0, "100010": 1, "111100": 1}
    for digits, multiple in multiples.items():
        module = CellModule(nasbench201.cell(digits), 6, 1, Settings())
        np.testing.assert_allclose(module.apply({}, x_nhwc, False), multiple * x_nhwc, rtol=1e-6)


def test_the_pair_that_leaves_is_the_last_two_outputs_or_bypassed():
    older, newer = np.zeros((1, 4, 4, 6), np.float32), np.ones((1, 4, 4, 6), np.float32)
    for bypass, expected in ((False, newer), (True, older)):
        module = CellModule(Cell(((("skip", 1),),), bypass=bypass), 6, 1, Settings())
        variables = module.init(jax.random.key(0), (older, newer), False)
        passed, out = module.apply(variables, (older, newer), False)
        assert passed is expected
        assert out.shape == (1, 4, 4, 6)


@pytest.mark.parametrize("side", [4, 5])
def test_a_factorized_reduction_reads_every_second_pixel_and_the_one_beside_it(side):
    x_nhwc = np.random.default_rng(0).uniform(size=(1, side, side, 1)).astype(np.float32)
    module = FactorizedReduction(2, Settings(eps=0.0), 2)
    variables = module.init(jax.random.key(0), x_nhwc, False)
    params = {**variables["params"], **{f"path_{i}": {"kernel": np.ones((1, 1, 1, 1))} for i in (0, 1)}}
    y = module.apply({**variables, "params": params}, x_nhwc, False)
    beyond = np.pad(x_nhwc, ((0, 0), (0, 1), (0, 1), (0, 0)))[:, 1::2, 1::2]
    np.testing.assert_allclose(y, np.concatenate([x_nhwc[:, ::2, ::2], beyond], -1), rtol=1e-6)


def test_a_strided_average_counts_padding_where_its_name_says_so():
    x_nhwc = np.ones((1, 5, 5, 2), np.float32)
    plain, zeros = (
        Edge(name, 2, 2, "conv", Settings(padding="tf")).apply({}, x_nhwc, False)
        for name in ("avg_3x3", "avg_3x3_zeros")
    )
    np.testing.assert_allclose(plain, 1.0, rtol=1e-6)
    np.testing.assert_allclose(zeros[0, :2, :2, 0], [[4 / 9, 6 / 9], [6 / 9, 1]], rtol=1e-6)


def test_edges_drop_one_by_one_and_the_identity_never():
    x_nhwc = np.ones((64, 2, 2, 6), np.float32)
    keys_b = jax.random.split(jax.random.key(0), 64)
    cell = Cell(((("avg_3x3", 0), ("avg_3x3", 0), ("skip", 0)),), inputs=1)
    y = CellModule(cell, 6, 1, Settings()).apply({}, x_nhwc, True, 0.5, keys_b)
    assert sorted(set(np.asarray(y).round(4).ravel())) == [1.0, 3.0, 5.0]


def test_a_line_of_pixels_is_strided_along_itself():
    module = Edge("conv_1x7_7x1", 4, 2, "conv", Settings())
    made, variables = jax.eval_shape(
        lambda x: module.init_with_output(jax.random.key(0), x, False), np.zeros((1, 9, 9, 4), np.float32)
    )
    shapes = {name: tuple(v["kernel"].shape) for name, v in variables["params"].items() if "kernel" in v}
    assert shapes == {
        "conv_0": (1, 1, 4, 1),
        "conv_1": (1, 7, 1, 1),
        "conv_2": (7, 1, 1, 1),
        "conv_3": (1, 1, 1, 4),
    }
    assert made.shape == (1, 5, 5, 4)


@pytest.mark.parametrize(
    ("name", "params", "reach"),
    [
        ("max_5x5", 0, 5),
        ("max_7x7", 0, 7),
        ("squeezed_3x3", 92, 3),  # to 2 of 8 filters
        ("squeezed_dil_3x3", 92, 5),
        ("conv_1x3_3x1", 136, 3),  # to 3 of 8
    ],
)
def test_nasnet_s_rarer_operations(name, params, reach):
    """Parameters with scales and offsets; the side that one value sees; either stride."""
    for stride, side in ((1, 9), (2, 5)):
        edge = Edge(name, 8, stride, "conv", Settings())
        cost = count_module(edge, (9, 9, 8), train=False)
        assert (cost.params, cost.receptive_field) == (params, reach)
        x_nhwc = np.zeros((1, 9, 9, 8), np.float32)
        out, _ = jax.eval_shape(lambda x: edge.init_with_output(jax.random.key(0), x, False), x_nhwc)  # noqa: B023
        assert out.shape == (1, side, side, 8)


def test_a_bare_strided_skip_does_not_activate():
    x_nhwc = -np.ones((1, 4, 4, 2), np.float32)
    for strided_skip, sees in (("conv", False), ("bare_conv", True)):
        edge = Edge("skip", 2, 2, strided_skip, Settings())
        y, variables = edge.init_with_output(jax.random.key(0), x_nhwc, False)
        assert bool(np.any(y)) is sees
        assert variables["params"]["skip"]["conv"]["kernel"].shape == (1, 1, 2, 2)
