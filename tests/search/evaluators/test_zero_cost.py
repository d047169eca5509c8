"""Scores of untrained networks: equal by both programs, and equal to what they are defined as."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.tables.zero_cost import spearman
from scaling.models.initialize import initialize
from scaling.models.initializers import torch_law
from scaling.models.network import Network
from scaling.models.synflow import kernels, log_synflow
from scaling.runs.spec import RunSpec
from scaling.zoo import nasbench201 as networks
from search.evaluators.zero_cost import SCORES, ZeroCost, jacobian_score, kernel_score
from search.spaces import nasbench201

SPEC = RunSpec.from_config(
    {
        "model": {"base_width": 0.25, "base_depth": 0.2, "base_resolution": 8},
        "data": {"source": "digits", "test": ""},
    }
)
POINTS = [np.array([3, 1, 2, 0, 0, 4]), np.array([1, 3, 3, 2, 2, 0]), np.zeros(6, np.int64)]


@pytest.mark.nightly
def test_both_programs_score_alike_and_a_dead_cell_scores_least():
    shared = [found.metrics for found in ZeroCost(nasbench201.SPACE, SPEC, 16)(POINTS)]
    (own,) = ZeroCost(nasbench201.SPACE, SPEC, 16, universal=False)(POINTS[:1])
    assert tuple(own.metrics) == SCORES
    for name, value in own.metrics.items():
        assert shared[0][name] == pytest.approx(value, rel=1e-3, abs=1e-6), name
    for name in ("grad_norm", "snip", "synflow", "jacob_cov", "naswot"):
        assert shared[2][name] < min(shared[0][name], shared[1][name])


def linear(cell: str, repeats: int):
    arch = networks.network(networks.cell(cell), 4, repeats, 3).replace(resolution=8)
    return Network(arch), initialize(Network(arch), 0, torch_law)


def scored(net: Network):
    return jax.jit(lambda variables: log_synflow(net, variables))


@pytest.mark.nightly
def test_synflow_is_the_sum_of_weight_times_gradient_without_norms():
    net, variables = linear("313242", 1)
    plain = {  # running statistics for which a norm in evaluation mode is the identity
        "params": jax.tree.map(jnp.abs, variables["params"]),
        "batch_stats": jax.tree_util.tree_map_with_path(
            lambda path, leaf: leaf - 1e-5 if path[-1].key == "var" else leaf, variables["batch_stats"]
        ),
    }
    total = lambda params: net.apply({**plain, "params": params}, jnp.ones((1, 8, 8, 3))).sum()
    gradients = jax.jit(jax.grad(total))(plain["params"])
    expected = sum((w * g).sum() for w, g in zip(kernels(plain["params"]), kernels(gradients)))
    np.testing.assert_allclose(scored(net)(variables), np.log1p(expected), rtol=1e-4)


def test_synflow_does_not_overflow():
    net, variables = linear("333333", 2)
    grown = jax.tree.map(lambda w: 100 * w, variables["params"])
    score = scored(net)
    once, more = score(variables), score({**variables, "params": grown})
    assert 0 < once < 89 < more < 1e3  # exp(89) is beyond float32


def test_scores_of_matrices():
    apart, alike = np.eye(4, 9), np.ones((4, 9)) + np.arange(9)
    assert jacobian_score(apart) > jacobian_score(alike + 1e-3 * apart) > jacobian_score(alike)
    assert jacobian_score(np.zeros((4, 9))) == pytest.approx(jacobian_score(alike), rel=1e-3)
    kernel = np.array([[5.0, 2.0], [2.0, 4.0]])
    assert kernel_score(kernel) == pytest.approx(np.log(16.0))


def test_spearman_takes_equal_values_at_their_mean_rank():
    assert spearman([1, 2, 3, 4], [10, 20, 30, 5]) == pytest.approx(-0.2)
    assert spearman([1, 1, 2], [1, 2, 3]) == pytest.approx(np.sqrt(3) / 2)
