"""Shapes that are asked for without drawing are those that drawing gives."""

import jax
import jax.numpy as jnp
import pytest
from flax.errors import InvalidRngError

import scaling
from scaling.models.initialize import abstract_variables, initialize
from scaling.models.network import Network
from search.spaces import catalogue

CELLS = catalogue.named("nasbench201", filters=4, repeats=2)
SUPERNET, _ = CELLS.universal(CELLS.decode([3, 1, 2, 1, 0, 4]))
ARCHS = {
    "stacked": scaling.get("cifar_resnet20"),
    "gated": scaling.get("mobilenetv3_small_050").replace(resolution=32),
    "auxiliary": scaling.get("inception_v1").replace(resolution=64),
    "layer_scale": scaling.scale(scaling.get("convnext_tiny"), depth=0.2).replace(resolution=32),
    "supernet": SUPERNET.replace(resolution=8),
}


@pytest.mark.representatives(2)
@pytest.mark.parametrize("name", ARCHS)
def test_shapes_are_those_that_a_key_gives(name):
    arch = ARCHS[name]
    image = jax.ShapeDtypeStruct((1, arch.resolution, arch.resolution, arch.in_channels), jnp.float32)
    net = Network(arch)
    drawn = jax.eval_shape(lambda x: net.init(jax.random.key(0), x, train=False), image)
    asked = abstract_variables(net, arch.resolution, arch.in_channels)
    made = jax.eval_shape(lambda: jax.tree.map(jnp.asarray, initialize(net)))
    for tree in (asked, made):
        assert jax.tree.structure(tree) == jax.tree.structure(drawn)
        assert [(x.shape, x.dtype) for x in jax.tree.leaves(tree)] == [
            (x.shape, x.dtype) for x in jax.tree.leaves(drawn)
        ]


def test_without_a_key_nothing_is_drawn_silently():
    net = Network(ARCHS["stacked"])
    with pytest.raises(InvalidRngError, match="params"):
        net.init({}, jnp.zeros((1, 32, 32, 3)), train=False)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_no_generator_takes_is_refused(seed):
    net = scaling.build(scaling.get("lenet5"))
    with pytest.raises(ValueError, match=rf"seed={seed} must be from 0 to 2\*\*63 - 1"):
        initialize(net, seed)
    assert initialize(net, 2**63 - 1)["params"]
