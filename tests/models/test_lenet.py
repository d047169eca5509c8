"""LeNet-5 as it was: the paper's counts, maps that read some maps only, and codes as outputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scaling
from scaling.arch.blocks import Partial
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.models.activations import named
from scaling.models.codes import Codes, codes
from scaling.models.layers import Settings
from scaling.models.lenet import PartialModule, SubsamplingModule
from scaling.zoo.lenet import C3

ORIGINAL = scaling.get("lenet5_1998")


def test_layers_have_the_parameters_and_connections_that_the_paper_counts():
    """Section II.B; S2's 5,880 and S4's 2,000 connections are of poolings, which nothing here counts."""
    layers = count(ORIGINAL, layers=True).layers
    params, macs = ({"C": 0, "S": 0} for _ in range(2))
    for layer in layers[2:5]:
        params["C"], macs["C"] = params["C"] + layer.params, macs["C"] + layer.macs
    assert (params["C"], macs["C"]) == (1_516, 151_600)
    assert [layer.params for layer in (*layers[:2], *layers[5:])] == [156, 12, 32, 48_120, 10_164, 0]
    assert sum(layer.macs for layer in layers) == 340_908 - 5_880 - 2_000


def test_a_map_reads_the_maps_of_its_row_and_no_other():
    module = PartialModule(Partial(C3, pad=0), 16, 1, Settings(activation="identity"))
    one_each = jnp.broadcast_to(jnp.eye(6)[:, None, None], (6, 5, 5, 6))
    found, _ = jax.jit(lambda x: module.init_with_output(jax.random.key(0), x, False))(one_each)
    read_oi = np.asarray(found[:, 0, 0] != 0).T
    assert [tuple(np.flatnonzero(row)) for row in read_oi] == [tuple(sorted(row)) for row in C3]


@pytest.mark.parametrize("channels, width", [(6, 16), (12, 32), (8, 20), (4, 16), (1, 3)])
def test_every_map_is_made_once_of_at_least_one(channels, width):
    parts = Partial(C3).parts(channels, width)
    assert sorted(n for part in parts for n in part.outputs) == list(range(width))
    assert all(0 <= n < channels for part in parts for n in part.inputs)
    assert all(part.inputs and len(part.inputs) % part.groups == 0 for part in parts)


def test_a_map_that_reads_none_is_refused():
    with pytest.raises(ValueError, match="stage 2 has table="):
        ORIGINAL.replace(stages=(Stage(Partial(((0,), ())), 2),))


@pytest.mark.parametrize("output", ["codes", "learned_codes"])
def test_outputs_are_distances_to_codes_and_cost_what_is_counted(output):
    arch = ORIGINAL.replace(stem=(), stages=ORIGINAL.stages[1:], in_channels=16, resolution=10)
    arch = arch.replace(head=Head(hidden=(9, 84), grid=5, output=output))
    sums, walked = totals(arch), count(arch)
    assert sums == type(sums)(walked.params, walked.batch_stats, walked.macs, walked.activations)
    features = np.random.default_rng(0).normal(size=(3, 84)).astype(np.float32)
    found, variables = Codes(10, output == "learned_codes").init_with_output(jax.random.key(0), features)
    np.testing.assert_allclose(found, -np.square(features[:, None] - codes(10, 84)).sum(-1), rtol=1e-4)
    assert jax.tree.map(jnp.shape, variables) == (
        {"params": {"moved": (10, 84)}} if output == "learned_codes" else {}
    )


@pytest.mark.parametrize("classes, units", [(10, 84), (10, 168), (40, 84)])
def test_codes_are_signs_and_no_two_are_near(classes, units):
    found = codes(classes, units)
    assert set(np.unique(found)) == {-1, 1} and found.shape == (classes, units)
    apart = np.square(found[:, None] - found).sum(-1) + 999 * np.eye(classes)
    assert apart.min() >= 4 * 8  # bitmaps of 8 and 9 differ least


def test_the_activation_keeps_the_signs_of_codes_and_bends_most_there():
    f = named("scaled_tanh")
    assert f(jnp.float32([-1, 0, 1])) == pytest.approx([-1, 0, 1], abs=1e-3)
    bend = np.abs(np.diff(np.asarray(f(jnp.linspace(0, 3, 301))), 2))
    assert abs((np.argmax(bend) + 1) / 100 - 1) < 0.05


@pytest.mark.nightly
def test_subsampling_begins_as_the_mean_and_learns_a_coefficient_and_a_bias_a_channel():
    module = SubsamplingModule(ORIGINAL.stages[1].block, 3, 2, Settings(activation="tanh"))
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype(np.float32)
    found, variables = module.init_with_output(jax.random.key(1), x, False)
    assert jax.tree.map(jnp.shape, variables["params"]) == {"scale": (3,), "bias": (3,)}
    mean = x.reshape(2, 3, 2, 3, 2, 3).mean((2, 4))
    np.testing.assert_allclose(found, np.tanh(mean), rtol=1e-5, atol=1e-6)
