"""Views are what they say: gradients by their rule, occlusion by what is seen, Grad-CAM by the classifier."""

import dataclasses

import jax
import numpy as np
import pytest

import scaling
from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, MBConv
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.models import views
from scaling.models.activations import ACTIVATIONS, RULES, named
from scaling.models.initialize import initialize
from scaling.models.network import Network

SIDE = 8


def arch_of(*stages: Stage, **fields) -> Arch:
    return Arch("seen", "tests", (), stages, Head(), SIDE, num_classes=3, in_channels=2, **fields)


def images(count=2):
    return np.random.default_rng(0).normal(size=(count, SIDE, SIDE, 2)).astype(np.float32)


def drawn(arch: Arch):
    """Variables of a network, biases and statistics too away from their zeros."""
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda x: x + 0.1 * np.abs(rng.normal(size=x.shape)).astype(np.float32),
                        initialize(Network(arch), 0))  # fmt: skip


LINEAR = arch_of(Stage(Conv(1, norm=False, act=False), 4))
SPARSE = arch_of(Stage(Conv(1, norm=False), 4, stride=2))  # it reads one pixel of four
USUAL = arch_of(Stage(Conv(), 4), Stage(Conv(norm=False, bias=True), 4, stride=2))


def test_the_saliency_of_a_linear_network_is_its_weights():
    variables, class_n = drawn(LINEAR), np.array([0, 2])
    found = views.gradient(LINEAR, variables, images(), class_n)
    params = variables["params"]
    kernel = params["stages_0"]["first"]["conv"]["kernel"][0, 0] @ params["classifier"]["kernel"]
    expected = np.broadcast_to(kernel.T[class_n][:, None, None] / SIDE**2, found.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_rule_changes_no_value(name):
    x = np.linspace(-3, 3, 13, dtype=np.float32)
    for rule in RULES:
        np.testing.assert_array_equal(named(f"{rule}:{name}")(x), ACTIVATIONS[name](x))


def test_guided_gradients_are_zero_where_the_unit_or_the_gradient_is_not_positive():
    x, gradient = (np.random.default_rng(i).normal(size=200).astype(np.float32) for i in (0, 1))
    pulled = {rule: jax.vjp(named(f"{rule}:relu"), x)[1](gradient)[0] for rule in RULES}
    np.testing.assert_array_equal(pulled["guided"], np.where((x > 0) & (gradient > 0), gradient, 0))
    np.testing.assert_array_equal(pulled["deconvolution"], np.maximum(gradient, 0))


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_reaches_every_activation_and_leaves_the_scores(rule):
    blocks = Stage(MBConv(expand=2, act="relu6"), 4)
    arch = arch_of(Stage(Conv(), 4), blocks)
    variables, changed = drawn(arch), views.ruled(arch, rule)
    run = lambda arch: jax.jit(lambda v, x: Network(arch).apply(v, x))(variables, images())
    np.testing.assert_array_equal(run(changed), run(arch))
    assert (changed.activation, changed.stages[1].block.act) == (f"{rule}:relu", f"{rule}:relu6")
    found = views.gradient(USUAL, drawn(USUAL), images(), np.array([0, 1]), rule)
    assert found.shape == images().shape and np.any(
        found != views.gradient(USUAL, drawn(USUAL), images(), [0, 1])
    )


def test_hiding_what_a_network_does_not_see_changes_nothing():
    variables, x_nhwc = drawn(SPARSE), images()
    class_n = views.likeliest(SPARSE, variables, x_nhwc)
    found = views.occlusion(SPARSE, variables, x_nhwc, class_n, side=1, stride=1)
    assert found.shape == (2, SIDE, SIDE)
    whole = jax.nn.softmax(Network(SPARSE).apply(variables, x_nhwc))[np.arange(2), class_n]
    seen = np.zeros((SIDE, SIDE), bool)
    seen[::2, ::2] = True
    np.testing.assert_allclose(found[:, ~seen], np.repeat(whole[:, None], (~seen).sum(), 1), rtol=1e-6)
    assert np.all(np.abs(found[:, seen] - whole[:, None]).max(1) > 1e-4)


@pytest.mark.parametrize("repeats", [1, 3])
def test_grad_cam_of_averaged_maps_weighs_them_as_the_classifier_does(repeats):
    *first, last = USUAL.stages
    arch = USUAL.replace(stages=(*first, dataclasses.replace(last, repeats=repeats)))
    variables, class_n = drawn(arch), np.array([0, 2])
    *_, (name, map_nhwc) = views.feature_maps(arch, variables, images())
    assert name == "stages_1" and map_nhwc.shape == (2, SIDE // 2, SIDE // 2, 4)
    kernel = variables["params"]["classifier"]["kernel"].T[class_n] / (SIDE // 2) ** 2
    expected = np.maximum(np.einsum("nhwc,nc->nhw", map_nhwc, kernel), 0)
    np.testing.assert_allclose(views.grad_cam(arch, variables, images(), class_n), expected, atol=1e-6)


def test_networks_without_classes_of_their_own_stages_are_refused():
    with pytest.raises(ValueError, match="only classifiers have views"):
        views.check_classifies(scaling.get("fcn_resnet50"))
