"""One network computes one function, however it is run: as a loop, recomputed, in other forms, cut up."""

import functools
import logging
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, FusedMBConv, MBConv, Pool, Residual
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.models.initialize import initialize, is_stated, stated_variables
from scaling.models.initializers import SHAPES, Law, fan_in, fan_out, parameter
from scaling.models.layers import Convolution, Settings, convolve
from scaling.models.network import DROP_PATH, Network
from scaling.models.operators import operators_of


def arch_of(*blocks, **changes) -> Arch:
    """A network of 8 px and few channels with a stage of each block, dropping wherever it can."""
    fields = {
        "name": "tiny",
        "family": "tests",
        "stem": (Stage(Conv(), 4, stride=2),),
        "stages": tuple(Stage(block, 8, repeats=3, stride=1 + i % 2) for i, block in enumerate(blocks)),
        "head": Head(width=8),
        "resolution": 8,
        "num_classes": 3,
        "activation": "silu",
        "drop_rate": 0.2,
        "drop_path_rate": 0.4,
    }
    return Arch(**{**fields, **changes})


MIXED = arch_of(
    stages=(
        Stage(MBConv(expand=2), 8, repeats=3),
        Stage(FusedMBConv(expand=2), 8, repeats=2, stride=2),
        Stage(Residual(kernels=(1, 3, 1), inner=0.5, stride_at=1, se_ratio=0.25), 16, repeats=2),
    )
)
OTHERS = (
    Conv(skip=True, groups=2, bias=True),
    MBConv(kernel=5, expand=1, se_ratio=0.0),
    Residual(),
    Residual(shortcut="pool"),
    Residual(shortcut="zero_pad"),
    Residual(preact=True, inner=0.5),
)


def images(arch: Arch, count: int = 4) -> np.ndarray:
    shape = (count, arch.resolution, arch.resolution, arch.in_channels)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def keys(count: int = 4):
    return jax.random.split(jax.random.key(1), count)


def gradients(net: Network, variables) -> Any:
    """Loss gradients, logits and new statistics of one training pass with fixed keys."""
    x_nhwc = images(net.arch)

    def loss(params):
        logits_bk, updates = net.apply(
            {**variables, "params": params}, x_nhwc, train=True, keys_b=keys(), mutable=["batch_stats"]
        )
        return jnp.sum(jnp.sin(logits_bk + jnp.arange(3.0))), (logits_bk, updates["batch_stats"])

    return jax.jit(jax.grad(loss, has_aux=True))(variables["params"])


@pytest.fixture(scope="module")
def variables():
    return initialize(Network(MIXED), seed=0)


@pytest.fixture(scope="module")
def unrolled(variables):
    return gradients(Network(MIXED, scan=False), variables)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "options",
    [
        {"scan": True},
        {"scan": False, "remat": True, "operators": "lax"},
        {"remat": (0, 2)},
    ],
    ids=["scanned", "remat_lax", "remat_by_stage"],
)
def test_every_way_to_run_gives_equal_logits_gradients_and_statistics(
    options, variables, unrolled, assert_close
):
    assert_close(gradients(Network(MIXED, **options), variables), unrolled, 1e-4)


@pytest.mark.parametrize("scan", [True, False])
def test_the_tree_of_variables_does_not_depend_on_scan(scan, variables):
    assert jax.tree.structure(initialize(Network(MIXED, scan=scan), 0)) == jax.tree.structure(variables)


def test_every_parameter_gets_a_gradient(unrolled):
    stages = tuple(Stage(block, 4 * (i + 2), stride=1 + i % 2) for i, block in enumerate(OTHERS))
    net = Network(arch_of(stages=stages, head=Head(preact=True), resolution=16, drop_path_rate=0.0))
    for grads in (unrolled[0], gradients(net, initialize(net, 0))[0]):
        leaves = jax.tree_util.tree_leaves_with_path(grads)
        assert not [jax.tree_util.keystr(path) for path, leaf in leaves if not np.any(leaf)]


def test_blocks_without_variables_repeat():
    plain = Stage(Conv(norm=False), 4, repeats=3)
    net = Network(arch_of(stages=(Stage(Pool(), 4, repeats=3), plain), head=Head()))
    values = initialize(net, 0)
    assert set(values["params"]) == {"stem_0", "stages_1", "classifier"}
    assert set(values["batch_stats"]) == {"stem_0"}
    run = lambda v, x, k: net.apply(v, x, train=True, keys_b=k, mutable=["batch_stats"])
    assert jax.eval_shape(run, values, images(net.arch), keys())[0].shape == (4, 3)


def test_evaluation_does_not_depend_on_how_the_batch_is_cut(variables, assert_close):
    run = jax.jit(lambda x_nhwc: Network(MIXED).apply(variables, x_nhwc))
    whole, x_nhwc = run(images(MIXED)), images(MIXED)
    assert_close(jnp.concatenate([run(x_nhwc[:2]), run(x_nhwc[2:])]), whole, 1e-5)


def test_draws_of_an_example_come_from_its_key_alone(assert_close):
    # Without norms no example sees another: what is left of the batch is the draws.
    plain = Conv(norm=False, skip=True)
    arch = arch_of(plain, stem=(Stage(plain, 8, stride=2),), head=Head(), drop_path_rate=0.6)
    net = Network(arch, scan=False)
    values = initialize(net, 0)
    run = jax.jit(lambda x_nhwc, keys_b: net.apply(values, x_nhwc, train=True, keys_b=keys_b))
    x_nhwc, keys_b = np.repeat(images(arch, 1), 8, 0), keys(8)
    whole = run(x_nhwc, keys_b)
    assert len(np.unique(np.asarray(whole).round(4), axis=0)) > 2, "equal images, but no draw differs"
    assert_close(jnp.concatenate([run(x_nhwc[:4], keys_b[:4]), run(x_nhwc[4:], keys_b[4:])]), whole, 1e-5)
    order = np.array([3, 1, 0, 2, 7, 6, 5, 4])
    assert_close(run(x_nhwc, keys_b[order]), whole[order], 1e-5)


def test_of_the_drop_path_rates_a_share_holds(assert_close):
    plain = Conv(norm=False, skip=True)
    arch = arch_of(plain, stem=(Stage(plain, 8, stride=2),), head=Head(), drop_rate=0.0, drop_path_rate=0.6)
    values, x_nhwc, keys_b = initialize(Network(arch), 0), images(arch, 4), keys(4)

    @functools.partial(jax.jit, static_argnames="rate")
    def run(variables, rate):
        return Network(arch.replace(drop_path_rate=rate)).apply(variables, x_nhwc, train=True, keys_b=keys_b)

    shared = lambda share: {**values, DROP_PATH: {"share": jnp.float32(share)}}
    for share in (0.5, 1.0):
        assert_close(run(shared(share), 0.6), run(values, share * 0.6), 1e-5)
    assert_close(run(shared(0.0), 0.6), jax.jit(Network(arch).apply)(values, x_nhwc), 1e-5)


def test_nothing_is_dropped_in_evaluation():
    arch = arch_of(Conv(skip=True))
    bare = arch.replace(drop_rate=0.0, drop_path_rate=0.0)
    values = initialize(Network(arch), 0)
    one, two = (jax.jit(Network(a).apply)(values, images(arch)) for a in (arch, bare))
    np.testing.assert_array_equal(one, two)


def test_bfloat16_computes_near_float32_and_keeps_float32_variables():
    arch = arch_of(MBConv(expand=2), drop_path_rate=0.0)
    values = initialize(Network(arch), 0)

    def run(dtype):
        net = Network(arch, dtype=dtype, scan=True)
        train = jax.jit(lambda v, x, k: net.apply(v, x, train=True, keys_b=k, mutable=["batch_stats"]))
        return train(values, images(arch), keys())

    half, single = run(jnp.bfloat16), run(jnp.float32)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(half))
    assert not np.array_equal(half[0], single[0])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=0.02), half, single)


@pytest.mark.parametrize("side, stride, differ", [(8, 2, True), (9, 2, False), (8, 1, False)])
def test_paddings_differ_on_even_inputs_at_stride_2_only(side, stride, differ):
    arch = arch_of(
        MBConv(kernel=5, expand=1, se_ratio=0.0), stem=(Stage(Conv(), 4),), head=Head(), resolution=side
    )
    arch = arch.replace(stages=(Stage(arch.stages[0].block, 8, stride=stride),))
    values = initialize(Network(arch), 0)
    one, two = (
        np.asarray(jax.jit(Network(arch.replace(padding=name)).apply)(values, images(arch)))
        for name in ("torch", "tf")
    )
    assert one.shape == two.shape
    assert (np.abs(one - two).max() > 1e-3 * np.abs(one).max()) == differ


def test_recomputed_stages_are_stages_of_the_network(variables):
    with pytest.raises(ValueError, match=r"remat=\(1, 3\) names stage 3: name some of 0 to 2, or True"):
        Network(MIXED, remat=(1, 3)).apply(variables, images(MIXED))


def test_an_unknown_form_is_named(variables):
    with pytest.raises(ValueError, match="operators='abacus'.*'lax'"):
        Network(MIXED, operators="abacus").apply(variables, images(MIXED))


def layer_law(layer: nn.Module, channels: int) -> Law:
    """The law that a layer's kernel states, as a network's initialisation sees it."""

    class Holder(nn.Module):
        layer: nn.Module

        @nn.compact
        def __call__(self, x_nhwc):
            return self.layer(x_nhwc)

    keys = {"params": jax.random.key(0), SHAPES: jax.random.key(0)}
    variables = Holder(layer).init(keys, jnp.zeros((1, 4, 4, channels)))
    (held,) = variables["params"].values()
    return held["kernel"].law


class TestInitialize:
    def test_a_seed_gives_one_set_of_arrays(self, variables):
        again, other = initialize(Network(MIXED), 0), initialize(Network(MIXED), 1)
        jax.tree.map(np.testing.assert_array_equal, variables, again)
        kernels = [v for p, v in jax.tree_util.tree_leaves_with_path(variables) if p[-1].key == "kernel"]
        others = [v for p, v in jax.tree_util.tree_leaves_with_path(other) if p[-1].key == "kernel"]
        assert not any(np.array_equal(a, b) for a, b in zip(kernels, others))

    def test_stacked_layers_are_drawn_apart(self, variables):
        kernel = variables["params"]["stages_0"]["rest"]["blocks"]["expand"]["kernel"]
        assert kernel.shape[0] == 2 and not np.array_equal(kernel[0], kernel[1])

    def test_arrays_are_float32_on_the_host(self, variables):
        assert all(type(v) is np.ndarray and v.dtype == np.float32 for v in jax.tree.leaves(variables))

    def test_spread_follows_the_law_layer_by_layer(self):
        arch = arch_of(stages=(Stage(MBConv(expand=2), 64, repeats=3),), stem=(Stage(Conv(), 64),))
        net, checked = Network(arch), 0
        stated = stated_variables(net, arch.resolution, arch.in_channels)["params"]
        pairs = zip(jax.tree.leaves(initialize(net, 0)["params"]), jax.tree.leaves(stated, is_leaf=is_stated))
        for value, leaf in pairs:
            for layer in value if value.ndim > 4 else [value]:
                if leaf.law.kind == "normal" and layer.size >= 1000:
                    assert layer.std() == pytest.approx(leaf.law.size, rel=0.1)
                    checked += 1
        assert checked > 8

    def test_widths_that_jump_without_a_norm_keep_the_spread_of_their_input(self):
        assert fan_in((7, 7, 512, 4096)) == Law("normal", (2 / (49 * 512)) ** 0.5)
        for layer in ("hidden_0", "squeeze"):
            assert layer_law(Convolution(16, 1, Settings(), fan="in", name=layer), 128) == fan_in(
                (1, 1, 128, 16)
            )

    def test_a_depthwise_kernel_keeps_its_spread_under_any_name_and_width(self):
        for name, channels in (("depthwise", 8), ("mixing", 1024)):
            module = Convolution(channels, 3, Settings(), groups=channels, name=name)
            assert layer_law(module, channels) == Law("normal", (2 / 9) ** 0.5)

    def test_a_module_of_another_kind_states_its_own_law(self):
        class Bias(nn.Module):
            @nn.compact
            def __call__(self, x):
                return x + parameter(self, "kernel", (4,), Law("constant", 0.5))

        drawn = Bias().init(jax.random.key(0), jnp.zeros(4))["params"]["kernel"]
        np.testing.assert_array_equal(drawn, np.full(4, 0.5, np.float32))

    @pytest.mark.parametrize("groups", [1, 32])
    def test_keys_and_generators_follow_the_same_law(self, groups):
        shape = (3, 3, 16, 32)
        law = fan_out(shape, groups)
        one = law.by_key(jax.random.key(0), shape)
        two = law.by_generator(np.random.default_rng(0), shape)
        assert np.std(one) == pytest.approx(np.std(two), rel=0.1) == pytest.approx(law.size, rel=0.1)

    def test_no_forward_pass_is_compiled(self, caplog):
        with jax.log_compiles(), caplog.at_level(logging.WARNING):
            jax.jit(lambda x: x * 3)(2.0)
            assert any("ompil" in record.getMessage() for record in caplog.records), "the log is deaf"
            caplog.clear()
            initialize(Network(MIXED.replace(num_classes=7)), 0)
        assert not [r.getMessage() for r in caplog.records if "Finished XLA compilation" in r.getMessage()]


@pytest.mark.parametrize("operators", ["lax", "cpu"])
@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("side, stride, dilation", [(8, 2, 2), (7, 2, 3), (10, 3, 2), (8, 1, 2)])
def test_tf_padding_is_same_padding(operators, groups, side, stride, dilation, assert_close):
    rng = np.random.default_rng(0)
    x_nhwc, kernel_hwio = (
        jnp.asarray(rng.normal(size=shape), jnp.float32)
        for shape in ((2, side, side, 4), (3, 3, 4 // groups, 4))
    )
    settings = Settings(padding="tf", operators=operators_of(operators), dilation=dilation)

    def theirs(x, k):
        form = {"rhs_dilation": (dilation,) * 2, "dimension_numbers": ("NHWC", "HWIO", "NHWC")}
        return lax.conv_general_dilated(x, k, (stride,) * 2, "SAME", feature_group_count=groups, **form)

    def answers(function):
        y, pull = jax.vjp(function, x_nhwc, kernel_hwio)
        return y, *pull(jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape))

    assert_close(answers(lambda x, k: convolve(x, k, stride, groups, settings)), answers(theirs), 1e-5)
