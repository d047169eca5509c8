"""Update rules equal their references; decay goes by name; a stacked layer is a layer."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from scaling.runs.spec import OptimizerSpec
from scaling.training.optimizers import RULES, build, decay_mask


def constant(rate):
    return lambda step: jnp.float32(rate)


def descend(optimizer, params, grads):
    """Apply a list of gradients; return the parameters."""
    state = optimizer.init(params)
    for grad in grads:
        updates, state = optimizer.update(grad, state, params)
        params = optax.apply_updates(params, updates)
    return params


@pytest.fixture
def params():
    rng = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)
    return {
        "stages_0": {
            "rest": {
                "blocks": {
                    "conv": {"kernel": draw(3, 2, 2), "bias": draw(3, 2)},
                    "norm_1": {"scale": draw(3, 2), "bias": draw(3, 2)},
                }
            }
        },
        "classifier": {"kernel": draw(2, 5), "bias": draw(5)},
    }


@pytest.fixture
def grads(params):
    rng = np.random.default_rng(1)
    return [
        jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape), jnp.float32), params) for _ in range(5)
    ]


def decayed(params, name):
    mask = decay_mask(name)(params)
    return {
        jax.tree_util.keystr(p, simple=True, separator="/") for p, m in jax.tree.leaves_with_path(mask) if m
    }


def test_masks_go_by_name_also_where_layers_are_stacked(params):
    kernels = {"stages_0/rest/blocks/conv/kernel", "classifier/kernel"}
    biases = {"stages_0/rest/blocks/conv/bias", "classifier/bias"}
    norms = {f"stages_0/rest/blocks/norm_1/{leaf}" for leaf in ("scale", "bias")}
    assert decayed(params, "kernels") == kernels
    assert decayed(params, "no_norm") == kernels | biases
    assert decayed(params, "all") == kernels | biases | norms


def test_tensorflow_rmsprop(params, grads):
    """TF 1: ms = d ms + (1-d) (g + wd p)^2 from 1; mom = m mom + lr g / sqrt(ms + eps); p -= mom."""
    spec = OptimizerSpec(
        "rmsprop", momentum=0.9, rms_decay=0.9, eps=1e-3, weight_decay=1e-2, decay_mask="no_norm"
    )
    reached = descend(build(spec, constant(0.05)), params, grads)
    for path, p in jax.tree.leaves_with_path(params):
        wd = 0.0 if "norm" in jax.tree_util.keystr(path) else 1e-2
        p, ms, mom = np.float64(p), 1.0, 0.0
        for grad in grads:
            g = np.float64(dict(jax.tree.leaves_with_path(grad))[path]) + wd * p
            ms = 0.9 * ms + 0.1 * g**2
            mom = 0.9 * mom + 0.05 * g / np.sqrt(ms + 1e-3)
            p = p - mom
        np.testing.assert_allclose(dict(jax.tree.leaves_with_path(reached))[path], p, 1e-4, 1e-6)


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_with_coupled_decay_and_momentum(params, grads, nesterov):
    """As in PyTorch: g += wd p; m = 0.9 m + g; p -= lr (g + 0.9 m if nesterov else m)."""
    spec = OptimizerSpec("sgd", momentum=0.9, nesterov=nesterov, weight_decay=0.1, decay_mask="all")
    reached = descend(build(spec, constant(0.1)), params, grads)
    for i, p in enumerate(map(np.float64, jax.tree.leaves(params))):
        momentum = 0.0
        for grad in grads:
            g = np.float64(jax.tree.leaves(grad)[i]) + 0.1 * p
            momentum = 0.9 * momentum + g
            p = p - 0.1 * (g + 0.9 * momentum if nesterov else momentum)
        np.testing.assert_allclose(jax.tree.leaves(reached)[i], p, 1e-4, 1e-6)


def test_adamw_is_optax_adamw(params, grads, assert_equal):
    spec = OptimizerSpec("adamw", weight_decay=0.1, decay="decoupled", decay_mask="kernels")
    peer = optax.adamw(0.01, weight_decay=0.1, mask=decay_mask("kernels"))
    assert_equal(
        descend(build(spec, constant(0.01)), params, grads),
        descend(peer, params, grads),
        rtol=1e-5,
        atol=1e-7,
    )


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adamw"])
def test_decoupled_decay_shrinks_by_rate_times_decay_and_nothing_else(params, grads, name, assert_equal):
    plain = build(OptimizerSpec(name), constant(0.1))
    with_decay = build(
        OptimizerSpec(name, weight_decay=0.2, decay="decoupled", decay_mask="all"), constant(0.1)
    )
    once, same = descend(plain, params, grads[:1]), descend(with_decay, params, grads[:1])
    assert_equal(jax.tree.map(lambda p, q: p - 0.1 * 0.2 * q, once, params), same, rtol=1e-5, atol=1e-6)


def unstacked(tree):
    """Write the three stacked layers out as three modules."""
    blocks = tree["stages_0"]["rest"]["blocks"]
    layers = {f"layer_{i}": jax.tree.map(lambda x, i=i: x[i], blocks) for i in range(3)}
    return {"classifier": tree["classifier"], **layers}


def test_adagrad_divides_by_the_root_of_all_squares_so_far(params, grads):
    moved = descend(build(OptimizerSpec("adagrad", eps=0.0), constant(0.1)), params, grads)["classifier"][
        "bias"
    ]
    told = np.stack([grad["classifier"]["bias"] for grad in grads])
    steps = 0.1 * told / np.sqrt(np.cumsum(told**2, axis=0))
    np.testing.assert_allclose(moved, params["classifier"]["bias"] - steps.sum(0), rtol=1e-5, atol=1e-6)


@pytest.mark.representatives("lamb")
@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adamw", "lamb", "lars"])
def test_stacked_layers_move_like_separate_ones(params, grads, name, assert_equal):
    spec = OptimizerSpec(name, weight_decay=0.1, decay="decoupled", clip_norm=1.0)
    stacked = descend(build(spec, constant(0.1)), params, grads)
    separate = descend(build(spec, constant(0.1)), unstacked(params), [unstacked(g) for g in grads])
    assert_equal(unstacked(stacked), separate, rtol=1e-5, atol=1e-6)


def test_lamb_of_separate_layers_is_optax_lamb(params, grads, assert_equal):
    spec = OptimizerSpec("lamb", eps=1e-6, weight_decay=0.1, decay="decoupled", decay_mask="kernels")
    peer = optax.lamb(0.1, eps=1e-6, weight_decay=0.1, mask=decay_mask("kernels"))
    start, steps = unstacked(params), [unstacked(g) for g in grads]
    assert_equal(
        descend(build(spec, constant(0.1)), start, steps), descend(peer, start, steps), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("nesterov", [False, True])
def test_lars_of_separate_layers_is_optax_lars(params, grads, nesterov, assert_equal):
    spec = OptimizerSpec("lars", momentum=0.9, nesterov=nesterov, weight_decay=0.1, trust=0.02)
    mask = decay_mask("kernels")
    peer = optax.lars(0.1, 0.1, mask, 0.02, trust_ratio_mask=mask, momentum=0.9, nesterov=nesterov)
    start, steps = unstacked(params), [unstacked(g) for g in grads]
    assert_equal(
        descend(build(spec, constant(0.1)), start, steps), descend(peer, start, steps), rtol=1e-5, atol=1e-6
    )


def test_lars_moves_what_decays_by_its_norm_and_the_rest_as_sgd_does(params, grads):
    """However large gradients are: a first step of a kernel is rate * trust * its norm."""
    optimizer, sgd = (build(OptimizerSpec(name, trust=0.01), constant(0.5)) for name in ("lars", "sgd"))
    large = [jax.tree.map(lambda g: 1e3 * g, grads[0])]
    moved = jax.tree.map(jnp.subtract, descend(optimizer, params, large), params)["classifier"]
    norm = jnp.linalg.norm
    expected = 0.005 * float(norm(params["classifier"]["kernel"]))
    assert float(norm(moved["kernel"])) == pytest.approx(expected, rel=1e-4)
    plain = jax.tree.map(jnp.subtract, descend(sgd, params, large), params)["classifier"]
    np.testing.assert_allclose(moved["bias"], plain["bias"], rtol=1e-6)


@pytest.mark.representatives("rmsprop")
@pytest.mark.parametrize("name", RULES)
def test_what_is_0_stays_0_and_the_rest_moves_as_ever(params, grads, name, assert_equal):
    spec = OptimizerSpec(name, weight_decay=0.1, decay="decoupled", keep_zeros=True)
    pruned = jax.tree.map(lambda p: jnp.where(jnp.abs(p) < 0.5, 0, p), params)
    masked = [jax.tree.map(lambda g, p: jnp.where(p == 0, 0, g), grad, pruned) for grad in grads]
    moved = descend(build(spec, constant(0.1)), pruned, masked)
    free = descend(build(dataclasses.replace(spec, keep_zeros=False), constant(0.1)), pruned, masked)
    held = descend(build(spec, constant(0.1)), pruned, grads)
    assert_equal(moved, free)
    for before, after in zip(jax.tree.leaves(pruned), jax.tree.leaves(held)):
        np.testing.assert_array_equal(after == 0, before == 0)


def test_clipping_bounds_the_norm_of_all_gradients_together(params, grads):
    optimizer = build(OptimizerSpec("sgd", momentum=0.0, clip_norm=0.5), constant(1.0))
    moved = jax.tree.map(jnp.subtract, descend(optimizer, params, grads[:1]), params)
    assert optax.tree.norm(moved) == pytest.approx(0.5, rel=1e-5)
