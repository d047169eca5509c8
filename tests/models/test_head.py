"""Hidden layers, sliding windows and pixel-wise classifiers against what they stand for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, Pool
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.cost.counting import count
from scaling.models.head import average_to
from scaling.models.initialize import initialize
from scaling.models.layers import Settings, pads, pool
from scaling.models.local_norm import sum_of_neighbours
from scaling.models.network import Network


def arch_of(head: Head, side: int, **changes) -> Arch:
    """A network without a stage: the head reads the image."""
    fields = {"stem": (), "stages": (Stage(Pool("max", 1), 3),), "num_classes": 4, "activation": "relu"}
    return Arch("head", "tests", head=head, resolution=side, **{**fields, **changes})


def images(side: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, side, side, 3)).astype(np.float32)


def apply(arch: Arch, x_nhwc, variables=None):
    values = variables or initialize(Network(arch), 0)
    return np.asarray(jax.jit(Network(arch).apply)(values, x_nhwc)), values


def test_hidden_layers_are_matrix_products_of_the_flattened_map():
    arch, x = arch_of(Head(hidden=(6, 5), grid=4), 4), images(4)
    logits, values = apply(arch, x)
    p = values["params"]
    y = x.reshape(2, -1)
    for name in ("hidden_0", "hidden_1"):
        y = np.maximum(y @ p[name]["kernel"].reshape(-1, p[name]["kernel"].shape[-1]) + p[name]["bias"], 0)
    np.testing.assert_allclose(logits, y @ p["classifier"]["kernel"] + p["classifier"]["bias"], atol=1e-5)


@pytest.mark.parametrize(("size", "parts"), [(3, 7), (7, 3), (8, 4), (5, 5), (9, 1)])
def test_averages_are_of_spans_that_cover_the_axis(size, parts):
    x = np.random.default_rng(0).normal(size=(2, size, 2, 1))
    spans = [(int(np.floor(i * size / parts)), int(np.ceil((i + 1) * size / parts))) for i in range(parts)]
    expected = np.stack([x[:, a:b].mean(1) for a, b in spans], 1)
    np.testing.assert_allclose(average_to(jnp.asarray(x), 1, parts), expected, atol=1e-6)


def test_a_sliding_window_reads_every_place_of_a_larger_map_and_equals_the_fixed_one_on_its_own_side():
    fixed, sliding = (arch_of(Head(hidden=(6,), grid=3, slide=slide), 3) for slide in (False, True))
    one, values = apply(fixed, images(3))
    np.testing.assert_array_equal(one, apply(sliding, images(3), values)[0])
    larger, x = sliding.replace(resolution=4), images(4)
    corners = [apply(fixed, x[:, i : i + 3, j : j + 3], values)[0] for i in range(2) for j in range(2)]
    np.testing.assert_allclose(apply(larger, x, values)[0], np.mean(corners, 0), atol=1e-5)
    assert count(larger).macs == 4 * (count(fixed).macs - 6 * 4 - 4) + 6 * 4 + 4


def test_a_small_map_is_spread_for_a_larger_grid():
    arch = arch_of(Head(hidden=(6,), grid=4, slide=True), 2)
    x = images(2)
    logits, values = apply(arch, x)
    spread = x.repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(logits, apply(arch.replace(resolution=4), spread, values)[0], atol=1e-5)


def test_per_pixel_classifies_before_it_averages():
    arch, x = arch_of(Head(per_pixel=True), 5), images(5)
    logits, values = apply(arch, x)
    classifier = values["params"]["classifier"]
    pixels = np.maximum(x @ classifier["kernel"] + classifier["bias"], 0)
    np.testing.assert_allclose(logits, pixels.mean((1, 2)), atol=1e-5)
    assert count(arch).macs == 25 * 4 * (3 + 1)


@pytest.mark.parametrize(
    "head", [Head(hidden=(64, 64), grid=4), Head(per_pixel=True)], ids=["hidden", "pixels"]
)
def test_heads_drop_in_training_only(head):
    arch, x = arch_of(head, 4, drop_rate=0.5), images(4)
    values = initialize(Network(arch), 0)
    train = lambda key: Network(arch).apply(values, x, train=True, rngs={"dropout": jax.random.key(key)})
    assert not np.array_equal(train(0), train(1)) and np.array_equal(train(0), train(0))
    np.testing.assert_array_equal(apply(arch, x, values)[0], apply(arch.replace(drop_rate=0.0), x, values)[0])


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad", "floor", "ceil"),
    [(109, 3, 2, 0, 54, 54), (110, 3, 2, 0, 54, 55), (5, 2, 2, 0, 2, 3), (4, 1, 3, 0, 2, 2), (6, 3, 3, 1, 2, 3), (2, 2, 4, 1, 1, 1)],
)  # fmt: skip
def test_rounding_up_adds_the_windows_that_begin_inside(size, kernel, stride, pad, floor, ceil):
    for up, expected in ((False, floor), (True, ceil)):
        low, high = pads(size, kernel, stride, "torch", pad, up)
        assert low == pad and (size + low + high - kernel) // stride + 1 == expected


def test_a_window_over_the_edge_averages_what_is_there():
    x = jnp.arange(1.0, 6.0).reshape(1, 5, 1, 1) * jnp.ones((1, 5, 5, 1))
    averaged = pool(x, "avg", 2, 2, Settings(), pad=0, ceil=True)
    np.testing.assert_allclose(averaged[0, :, 0, 0], [1.5, 3.5, 5.0])
    np.testing.assert_allclose(pool(x, "max", 2, 2, Settings(), pad=0)[0, :, 0, 0], [2.0, 4.0])


def test_neighbours_are_summed_within_the_channels():
    x = np.random.default_rng(0).normal(size=(1, 1, 1, 9))
    expected = [x[..., max(0, c - 2) : c + 3].sum() for c in range(9)]
    np.testing.assert_allclose(sum_of_neighbours(jnp.asarray(x), 5)[0, 0, 0], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "side"), [(11, 4, 2, 30), (5, 2, 0, 11), (7, 2, 1, 16), (3, 1, 0, 6)]
)
def test_stated_paddings_have_equal_gradients_in_every_form(kernel, stride, pad, side, assert_close):
    block = Conv(kernel, norm=False, bias=True, pad=pad, groups=2)
    arch = arch_of(Head(), side, stages=(Stage(block, 4, stride=stride),), in_channels=4)
    values = initialize(Network(arch), 0)
    x = np.random.default_rng(0).normal(size=(2, side, side, 4)).astype(np.float32)

    def gradients(operators):
        loss = lambda v, x: jnp.sum(jnp.sin(Network(arch, operators=operators).apply(v, x)))
        return jax.jit(jax.grad(loss, (0, 1)))(values, x)

    assert_close(gradients("cpu"), gradients("lax"), 1e-4)


@pytest.mark.parametrize("operators", ["cpu", "lax"])
def test_a_padded_pixelwise_convolution_grows_the_map(operators):
    net = Network(arch_of(Head(), 3, stages=(Stage(Conv(1, pad=1), 2),)), operators=operators)
    _, state = net.apply(initialize(net, 0), images(3), capture_intermediates=True)
    assert state["intermediates"]["stages_0"]["__call__"][0].shape == (2, 5, 5, 2)
