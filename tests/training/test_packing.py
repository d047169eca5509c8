"""Packing a state into vectors loses nothing and changes no step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.runs.spec import OptimizerSpec
from scaling.training.optimizers import build, decay_mask
from scaling.training.packing import Packed, pack_state, tree_of, unpack_state
from scaling.training.state import create

RULES = ("sgd", "rmsprop", "adamw", "lamb")


@pytest.fixture
def variables():
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.normal(size=shape).astype(np.float32)
    norm = {"scale": draw(4), "bias": draw(4)}
    block = {"conv": {"kernel": draw(2, 3, 3, 4, 4)}, "norm": {"scale": draw(2, 4), "bias": draw(2, 4)}}
    params = {"conv": {"kernel": draw(3, 3, 1, 4)}, "norm": norm, "rest": {"blocks": block}}
    return {"params": params, "batch_stats": {"norm": {"mean": draw(4), "var": draw(4)}}}


def optimizer(rule: str, decay: str):
    spec = OptimizerSpec(rule, weight_decay=0.1, decay=decay, clip_norm=0.5, decay_mask="no_norm")
    return build(spec, lambda step: 0.1)


@pytest.mark.parametrize("rule", RULES)
def test_unpacking_gives_the_state_back(rule, variables):
    state = create(variables, optimizer(rule, "coupled"), ema=True)
    packed = pack_state(state, decay_mask("no_norm"))
    assert all(isinstance(p, Packed) for p in (packed.params, packed.batch_stats, packed.ema["params"]))
    assert len(jax.tree.leaves(packed)) < len(jax.tree.leaves(state))
    assert jax.tree.structure(unpack_state(packed)) == jax.tree.structure(state)
    jax.tree.map(np.testing.assert_array_equal, unpack_state(packed), state)


@pytest.mark.representatives(4)
@pytest.mark.parametrize("decay", ["coupled", "decoupled"])
@pytest.mark.parametrize("rule", RULES)
def test_updates_of_packed_parameters_are_those_of_the_tree(rule, decay, variables):
    """Masks and trust ratios included: they go by names that a vector no longer has."""
    update = optimizer(rule, decay)
    state = create(variables, update, ema=False)
    packed = pack_state(state, decay_mask("no_norm"))

    def step(params, opt_state):
        grads = jax.grad(lambda p: sum(jnp.sum(jnp.sin(3 * x)) for x in jax.tree.leaves(tree_of(p))))(params)
        return update.update(grads, opt_state, params)[0]

    plain = jax.jit(step)(state.params, state.opt_state)
    vectors = jax.jit(step)(packed.params, packed.opt_state)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    jax.tree.map(close, tree_of(vectors), plain)
