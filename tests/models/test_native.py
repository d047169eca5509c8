"""The C++ kernels compute what the plain forms compute, and nothing depends on their being there."""

import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, MBConv, Residual
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.models import native
from scaling.models.activations import ACTIVATIONS
from scaling.models.batch_norm import affine, normalize
from scaling.models.dense import native_dense
from scaling.models.depthwise import depthwise
from scaling.models.initialize import initialize
from scaling.models.native import Window
from scaling.models.native import build as build_module
from scaling.models.native.build import build, library
from scaling.models.native.ready import failure, prepare
from scaling.models.network import Network
from scaling.models.operators import operators_of

EPS = 1e-3


@pytest.fixture(scope="module")
def compiler():
    """Skip where no C++ compiler is installed: the kernels are an extra."""
    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        pytest.skip("needs a C++ compiler to build the kernels")


@pytest.fixture(scope="module")
def kernels(compiler, tmp_path_factory):
    """The kernels, built where only this module finds them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv(native.SWITCH, "1")
        patch.setattr(build_module, "FLAGS", tuple(flag.replace("-O3", "-O1") for flag in build_module.FLAGS))
        native.available.cache_clear()
        said = []
        prepare(said.append)
        assert native.available() and len(said) == 2
        prepare(said.append)  # there is nothing more to do
        assert len(said) == 2 and str(library()) in said[1] and native.named() == library().stem
        yield
    native.available.cache_clear()


@pytest.fixture
def nothing_built(tmp_path, monkeypatch):
    """A cache of its own, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(native.SWITCH, "1")
    native.available.cache_clear()
    yield
    native.available.cache_clear()


def value_and_gradients(function, *arguments):
    """The output, and the gradients of a weighted sum of it to all arguments."""
    y, pull = jax.vjp(function, *arguments)
    weights = jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape)
    return (y, *pull(weights.astype(y.dtype)))


def normal(*shape: int, seed: int = 0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("size", "channels", "kernel", "stride", "dilation", "padding"),
    [
        ((7, 9), 20, 3, 1, 1, ((1, 1), (1, 1))),
        ((8, 8), 33, 5, 2, 1, ((1, 2), (1, 2))),
        ((9, 6), 100, 3, 2, 2, ((2, 2), (2, 2))),
        ((10, 10), 64, 7, 3, 1, ((3, 3), (0, 2))),
        ((5, 5), 16, 5, 1, 1, ((2, 2), (2, 2))),
        ((11, 21), 40, 5, 1, 1, ((2, 2), (2, 2))),
        ((12, 11), 7, 3, 1, 3, ((3, 3), (0, 0))),
        ((5, 4), 3, 1, 2, 1, ((0, 0), (0, 0))),
    ],
)
def test_depthwise_equals_the_grouped_convolution(
    kernels, size, channels, kernel, stride, dilation, padding, assert_close
):
    def grouped(x, k):
        return lax.conv_general_dilated(
            x,
            k,
            (stride, stride),
            padding,
            rhs_dilation=(dilation, dilation),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=channels,
        )

    ours = lambda x, k: depthwise(x, k, stride, padding, dilation, True)
    arguments = normal(3, *size, channels), normal(kernel, kernel, 1, channels, seed=1)
    assert "depthwise_forward" in jax.jit(ours).lower(*arguments).as_text()
    assert_close(
        jax.jit(lambda *a: value_and_gradients(ours, *a))(*arguments),
        jax.jit(lambda *a: value_and_gradients(grouped, *a))(*arguments),
        1e-5,
    )


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("size", "channels", "sides", "window"),
    [
        ((7, 9), (20, 24), (3, 3), Window((1, 1), ((1, 1), (1, 1)))),
        ((12, 9), (3, 33), (7, 5), Window((2, 2), ((3, 2), (2, 2)))),
        ((6, 11), (8, 12), (1, 7), Window((1, 2), ((0, 0), (3, 3)), 1, 4)),
        ((9, 9), (6, 6), (3, 3), Window((2, 2), ((2, 3), (0, 4)), 2)),
        ((9, 11), (40, 40), (3, 3), Window((1, 1), ((1, 1), (1, 1)), 1, 10)),
        ((8, 9), (48, 48), (3, 3), Window((2, 2), ((1, 1), (0, 1)), 1, 6)),
        ((4, 3), (128, 80), (3, 3), Window((1, 1), ((1, 1), (1, 1)))),
        ((5, 5), (32, 16), (1, 1), Window((2, 2), ((0, 0), (0, 0)))),
    ],
)
def test_dense_equals_the_convolution_of_jax(kernels, size, channels, sides, window, assert_close):
    def theirs(x, k):
        return lax.conv_general_dilated(
            x,
            k,
            window.stride,
            window.padding,
            rhs_dilation=(window.dilation,) * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=window.groups,
        )

    ours = lambda x, k: native_dense(x, k, window)
    shape = (*sides, channels[0] // window.groups, channels[1])
    arguments = normal(3, *size, channels[0]), normal(*shape, seed=1)
    assert_close(
        jax.jit(lambda *a: value_and_gradients(ours, *a))(*arguments),
        jax.jit(lambda *a: value_and_gradients(theirs, *a))(*arguments),
        1e-5,
    )


@pytest.mark.nightly
def test_windows_that_fit_nowhere_have_gradients_of_zero(kernels):
    window, x_nhwc, kernel_hwio = Window((1, 1), ((0, 0), (0, 0))), normal(3, 2, 2, 4), normal(3, 3, 4, 5)
    y, *gradients = value_and_gradients(lambda x, k: native_dense(x, k, window), x_nhwc, kernel_hwio)
    assert y.shape == (3, 0, 0, 5)
    for gradient, argument in zip(gradients, (x_nhwc, kernel_hwio)):
        np.testing.assert_array_equal(gradient, jnp.zeros_like(argument))


@pytest.mark.nightly
def test_an_input_gradient_that_nobody_reads_is_not_computed(kernels):
    window = Window((2, 2), ((1, 1), (1, 1)))
    loss = lambda k, x: jnp.sum(native_dense(x, k, window))
    program = jax.jit(jax.grad(loss)).lower(normal(3, 3, 3, 8), normal(2, 8, 8, 3)).compile().as_text()
    assert "dense_kernel_gradient" in program and "dense_input_gradient" not in program


@pytest.mark.nightly
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("channels", [5, 96])
def test_batch_norm_equals_the_plain_one(kernels, activation, channels, assert_close):
    x_nhwc = 1.0 + 3.0 * normal(4, 9, 8, channels)
    scale_c, bias_c = normal(channels, seed=1), normal(channels, seed=2)

    def run(use_native: bool):
        function = lambda *a: normalize(*a, EPS, None, activation, use_native)
        gradients = value_and_gradients(lambda *a: function(*a)[0], x_nhwc, scale_c, bias_c)
        return function(x_nhwc, scale_c, bias_c)[1:], gradients

    assert_close(run(True), run(False), 1e-5)


@pytest.mark.nightly
def test_extreme_inputs_stay_finite(kernels):
    x_nhwc = jnp.asarray([-1e30, -200.0, -88.0, 0.0, 88.0, 200.0, 1e30]).reshape(1, 7, 1, 1)
    one, zero = jnp.ones(1), jnp.zeros(1)
    y = native.apply(x_nhwc, one, zero, "silu")
    np.testing.assert_allclose(y, jax.nn.silu(x_nhwc), rtol=1e-6, atol=1e-30)


@pytest.mark.nightly
@pytest.mark.parametrize("activation", native.ACTIVATIONS)
def test_what_is_not_a_number_is_passed_on(kernels, activation):
    x_nhwc = normal(1, 3, 3, 20).at[0, 1, 1, 5].set(jnp.nan)
    arguments = x_nhwc, jnp.ones(20), jnp.zeros(20)
    ours = native.apply(*arguments, activation)
    np.testing.assert_allclose(ours, affine(*arguments, activation), rtol=1e-6, atol=1e-6)
    assert np.isnan(ours).sum() == 1


@pytest.mark.nightly
def test_a_sum_does_not_depend_on_how_often_it_is_made(kernels):
    x_nhwc = normal(8, 33, 31, 24)
    first = native.moments(x_nhwc)
    for _ in range(5):
        np.testing.assert_array_equal(native.moments(x_nhwc), first)


@pytest.mark.nightly
def test_a_network_is_the_same_function_with_and_without(kernels, assert_close):
    stages = (Stage(MBConv(kernel=5), 16, repeats=2, stride=2), Stage(Residual(preact=True), 24, repeats=2))
    arch = Arch(
        "tiny", "tests", (Stage(Conv(), 8),), stages, Head(width=32), resolution=9, activation="hard_swish"
    )
    variables, images = initialize(Network(arch), 0), normal(4, 9, 9, 3)

    def loss(params, operators):
        everything = {**variables, "params": params}
        logits, updates = Network(arch, operators=operators).apply(
            everything, images, True, mutable=["batch_stats"]
        )
        return jnp.mean(jnp.sin(logits)), (logits, updates)

    run = jax.jit(jax.grad(loss, has_aux=True), static_argnums=1)
    assert operators_of() == operators_of("native")
    assert_close(run(variables["params"], None), run(variables["params"], "cpu"), 2e-4)


def test_without_a_build_plain_jax_runs(nothing_built):
    assert operators_of() == operators_of("cpu")
    with pytest.raises(ValueError, match="experiments.native"):
        operators_of("native")


def test_a_backend_without_a_row_has_plain_operators(monkeypatch):
    monkeypatch.setattr("jax.default_backend", lambda: "METAL")
    assert operators_of() == operators_of("lax")


def test_a_damaged_library_is_said_and_not_used(nothing_built):
    library().write_bytes(b"not a library")
    with pytest.warns(UserWarning, match="cannot be loaded"):
        assert not native.available()


def test_a_missing_compiler_is_named(nothing_built, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(RuntimeError, match="no-such-compiler.*install g"):
        build()


def test_what_the_compiler_says_is_passed_on(nothing_built, monkeypatch, tmp_path):
    broken = tmp_path / "broken-compiler"
    broken.write_text("#!/bin/sh\necho it broke >&2\nexit 3\n")
    broken.chmod(0o700)
    monkeypatch.setenv("CXX", str(broken))
    with pytest.raises(RuntimeError, match="it broke"):
        build()
    assert not list(library().parent.iterdir())


def test_a_compiler_that_takes_too_long_is_one_that_fails(nothing_built, monkeypatch, tmp_path):
    slow, said = tmp_path / "slow-compiler", []
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o700)
    monkeypatch.setenv("CXX", str(slow))
    monkeypatch.setattr(build_module, "SECONDS", 0.1)
    prepare(said.append)
    assert "took more than the 0.1 s" in said[-1] and not native.available()
    assert "took more than" in failure(library()).read_text()
