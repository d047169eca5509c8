"""The blocks of mobile networks: one function however run, and every parameter gets a gradient."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, DepthwiseSeparable, MBConv, ShuffleV1, ShuffleV2
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.models.initialize import initialize
from scaling.models.layers import Settings, SqueezeExcite
from scaling.models.mbconv import MBConvModule
from scaling.models.network import Network
from scaling.models.shuffle import shuffle

V3 = MBConv(5, 2.3, 0.25, act="relu", se_expanded=True, se_act="relu", se_gate="hard_sigmoid")
ARCH = Arch(
    name="tiny_mobile",
    family="tests",
    stem=(Stage(Conv(3), 8, stride=2),),
    stages=(
        Stage(DepthwiseSeparable(), 8, repeats=3),
        Stage(V3, 16, repeats=3, stride=2),
        Stage(ShuffleV1(groups=2), 32, repeats=3, stride=2),
        Stage(ShuffleV2(kernel=5), 40, repeats=3),
    ),
    head=Head(width=24, hidden=(16,)),
    resolution=16,
    num_classes=3,
    activation="hard_swish",
    drop_rate=0.2,
    drop_path_rate=0.4,
)


def outcome(net: Network, variables):
    """Loss gradients, logits and new statistics of one training pass with fixed keys."""
    shape = (4, ARCH.resolution, ARCH.resolution, ARCH.in_channels)
    x_nhwc = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    keys_b = jax.random.split(jax.random.key(1), 4)

    def loss(params):
        logits_bk, updates = net.apply(
            {**variables, "params": params}, x_nhwc, train=True, keys_b=keys_b, mutable=["batch_stats"]
        )
        return jnp.sum(jnp.sin(logits_bk + jnp.arange(3.0))), (logits_bk, updates["batch_stats"])

    return jax.jit(jax.grad(loss, has_aux=True))(variables["params"])


@pytest.fixture(scope="module")
def variables():
    return initialize(Network(ARCH), seed=0)


@pytest.fixture(scope="module")
def unrolled(variables):
    return outcome(Network(ARCH, scan=False), variables)


@pytest.mark.nightly
def test_scanned_equals_unrolled(variables, unrolled, assert_close):
    assert_close(outcome(Network(ARCH, scan=True, operators="lax"), variables), unrolled, 1e-3)


@pytest.mark.nightly
def test_every_parameter_gets_a_gradient(unrolled):
    leaves = jax.tree_util.tree_leaves_with_path(unrolled[0])
    assert not [jax.tree_util.keystr(path) for path, leaf in leaves if not np.any(leaf)]


def test_a_whole_expansion_is_exact_and_a_fraction_is_rounded():
    assert [MBConv(expand=e).expanded(c) for c, e in ((12, 6), (12, 6.0), (80, 2.3), (24, 3.67))] == [
        72,
        72,
        184,
        88,
    ]


def test_the_squeeze_is_a_share_of_the_input_or_of_the_expansion():
    assert MBConv(expand=6, se_ratio=0.25).squeezed(40) == 10
    assert MBConv(expand=3, se_ratio=0.25, se_expanded=True).squeezed(24) == 24  # 18 to 16 would lose 11 %


def test_the_gate_is_the_one_that_is_named():
    x_nhwc = 10 * np.random.default_rng(0).normal(size=(2, 4, 4, 8)).astype(np.float32)
    hard, soft = (SqueezeExcite(4, Settings(), "relu", gate) for gate in ("hard_sigmoid", "sigmoid"))
    variables = hard.init(jax.random.key(0), x_nhwc)
    assert not np.allclose(hard.apply(variables, x_nhwc), soft.apply(variables, x_nhwc), rtol=1e-3)


@pytest.mark.parametrize("wrong", [{"act": "nope"}, {"se_act": "nope"}, {"se_gate": "nope"}], ids=str)
def test_an_activation_that_there_is_not_is_refused(wrong):
    arch = ARCH.replace(stages=(Stage(dataclasses.replace(V3, **wrong), 16),))
    for refused in (arch, ARCH.replace(activation="guided:nope")):
        with pytest.raises(ValueError, match="'nope' is no activation here: choose one of "):
            jax.eval_shape(Network(refused).init, jax.random.key(0), jnp.ones((1, 16, 16, 3)))


def test_a_shuffle_deals_the_groups_out_in_turn_and_its_mirror_undoes_it():
    x_nhwc = np.arange(2 * 12).reshape(2, 1, 1, 12)
    dealt = shuffle(x_nhwc, 3)
    assert dealt[0, 0, 0].tolist() == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]
    np.testing.assert_array_equal(shuffle(dealt, 4), x_nhwc)


def test_a_shuffle_unit_narrower_than_its_input_says_so():
    arch = ARCH.replace(stages=(Stage(ShuffleV1(groups=2), 8, stride=2),))
    with pytest.raises(ValueError, match="width=8 must exceed the 8 channels"):
        initialize(Network(arch), seed=0)


def test_an_inverted_bottleneck_without_its_skip_is_its_branch():
    x_nhwc = np.random.default_rng(0).normal(size=(2, 6, 6, 4)).astype(np.float32)
    whole, branch = (MBConvModule(MBConv(3, 2, skip=skip), 4, 1, Settings()) for skip in (True, False))
    variables = whole.init(jax.random.key(0), x_nhwc, False)
    difference = whole.apply(variables, x_nhwc, False) - branch.apply(variables, x_nhwc, False)
    np.testing.assert_allclose(difference, x_nhwc, atol=1e-5)


def test_a_dilated_bottleneck_is_the_plain_one_on_every_second_pixel():
    plain, dilated = (MBConvModule(MBConv(3, 2, 0.0, dilation=d), 8, 1, Settings()) for d in (1, 2))
    x_nhwc = np.random.default_rng(0).normal(size=(1, 8, 8, 8)).astype(np.float32)
    variables = jax.jit(lambda x: plain.init(jax.random.key(0), x, False))(x_nhwc)
    whole = jax.jit(lambda v, x: dilated.apply(v, x, False))(variables, x_nhwc)
    part = jax.jit(lambda v, x: plain.apply(v, x, False))(variables, x_nhwc[:, 1::2, ::2])
    np.testing.assert_allclose(whole[:, 1::2, ::2], part, rtol=1e-4, atol=1e-5)
