"""What every network of the zoo obeys: how its cost follows the factors, and that all of it learns.

The default and nightly tests take the smallest network of each set of block kinds, the exhaustive ones all
others.
"""

import dataclasses
from collections import Counter
from collections.abc import Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling import zoo
from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, Dense, Pool
from scaling.arch.map_heads import MapHead
from scaling.arch.stages import Stage, settle
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.models.auxiliary import AUXILIARY, auxiliary_loss
from scaling.models.initialize import abstract_variables, initialize
from scaling.models.network import Network
from scaling.rules.scale import scale

# Twice the depth is at most 2.1 times the cost, but for these families, whose bound is in brackets
MOST_BY_DEPTH = {
    # A layer reads all layers before it, so that its cost grows with their number
    "densenet": 4.0,
    "cifar_densenet": 4.0,
    # A stage's first block reads half as many channels (or three, in the first) as its repeats do
    "lenet": 2.6,
    "nin": 2.3,
    "vgg": 2.4,
    "mobilenet_v1": 2.3,
    "wrn": 2.2,
    "efficientnet_v2": 2.15,
}
# Twice the depth is at least 1.3 times the cost, but where most of it is a head without layers to repeat,
# and in shallow forms of networks whose entry is not repeated
LEAST_BY_DEPTH = {"deeplabv3": 1.15, "xception": 1.25}


def kinds(name: str) -> frozenset[type]:
    """The kinds of block in a network, but for convolutions and poolings."""
    arch = zoo.get(name)
    return frozenset(type(stage.block) for stage in arch.stem + arch.stages) - {Conv, Pool}


# tests/zoo/test_inception.py and tests/models/test_cell.py ask the same of small networks of their blocks
LEARN_ELSEWHERE = {"inception_v1", "inception_v2", "pnasnet5mobile"}
# tests/zoo/test_cells.py asks the same of small networks of cells, and another Inception is here
COST_ELSEWHERE = {"inception_v2", "pnasnet5mobile"}


def one_each(elsewhere: Collection[str] = ()) -> list[Any]:
    """All names; all but the smallest of its kinds, and those that are tested `elsewhere`, are marked."""
    smallest = {kinds(name): name for name in sorted(zoo.names(), key=size, reverse=True)}
    kept = set(smallest.values()) - set(elsewhere)
    return [pytest.param(n, marks=() if n in kept else pytest.mark.exhaustive) for n in zoo.names()]


def size(name: str) -> int:
    """A rough order of cost: depth times width."""
    arch = zoo.get(name)
    layers = [s.block.layers if isinstance(s.block, Dense) else s.repeats for s in arch.stages]
    return sum(layers) * max(arch.widths)


@pytest.mark.parametrize("name", zoo.names())
def test_factors_of_one_are_the_identity(name):
    assert scale(zoo.get(name), 1, 1, 1) == zoo.get(name)


def macs(arch: Arch) -> int:
    """Multiply-adds by arithmetic, which tests/cost holds equal to the count, or else by the count."""
    return (totals(arch) or count(arch)).macs


def counted() -> list[Any]:
    """All names; those that must be walked are marked."""
    walked = one_each(elsewhere=COST_ELSEWHERE)
    return [name if totals(zoo.get(name)) else walked[i] for i, name in enumerate(zoo.names())]


@pytest.mark.parametrize("name", counted())
def test_cost_follows_width_and_depth(name):
    base = zoo.get(name)
    base = base if totals(base) else brief(base)
    assert 3.0 <= macs(scale(base, width=2)) / macs(base) <= 4.2
    deeper = macs(scale(base, depth=2)) / macs(base)
    assert LEAST_BY_DEPTH.get(base.family, 1.3) <= deeper <= MOST_BY_DEPTH.get(base.family, 2.1)


@pytest.mark.representatives(3)
@pytest.mark.parametrize("name", one_each())
def test_sides_follow_the_resolution(name):
    base = brief(zoo.get(name))
    once, twice = sides(base), sides(scale(base, resolution=2))
    assert once.keys() == twice.keys()
    lost = 0 if base.least_side == 1 else 6  # pixels that windows without padding lose at every side
    assert all(-1 <= twice[layer] - 2 * once[layer] <= lost for layer in once)


def sides(arch: Arch) -> dict[str, int]:
    """The side of the feature map that each layer of the stages puts out."""
    maps = [layer for layer in count(arch, layers=True).layers if len(layer.output_shape) == 3]
    apart = ("head", "hidden", "classifier", "decoder")
    body = [layer for layer in maps if not layer.name.startswith(apart)]
    return {layer.name: layer.output_shape[0] for layer in body if "/se/" not in layer.name}


WIDEST = {"inception_v1": 128}  # narrower, some of its filters are dead: no norm keeps them alive


def tiny(arch: Arch) -> Arch:
    """The same stages for 3 classes, as narrow as the rounding makes them, and shallow."""
    narrow = brief(scale(arch, width=min(1.0, WIDEST.get(arch.name, 32) / max(arch.widths))))
    small = narrow.replace(num_classes=3, drop_rate=0.0, drop_path_rate=0.0)
    return small.replace(resolution=max(32, small.least_side))


def brief(arch: Arch) -> Arch:
    """The same stages, shallow."""
    return arch.replace(stages=settle(shallow(arch.stages), arch.entering))


def few(arch: Arch) -> Arch:
    """Its first two stages of each kind of block: more differ in sizes only."""
    if arch.auxiliary or isinstance(arch.head, MapHead):  # they sit on stages by number, or by stride
        return arch
    kept, seen = [], Counter[type]()
    for stage in arch.stages:
        seen[type(stage.block)] += 1
        kept += [stage] if seen[type(stage.block)] <= 2 else []
    small = arch.replace(stages=settle(tuple(kept), arch.entering))
    return small.replace(resolution=max(16, small.least_side))


def shallow(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """One block a stage, but three in the first stage of a kind that repeats; two layers a dense block."""
    repeating = {type(stage.block): i for i, stage in reversed(list(enumerate(stages))) if stage.repeats > 1}
    shallower = []
    for i, stage in enumerate(stages):
        block = stage.block
        block = dataclasses.replace(block, layers=2) if isinstance(block, Dense) else block
        repeats = min(stage.repeats, 3 if repeating.get(type(block)) == i else 1)
        shallower.append(dataclasses.replace(stage, block=block, repeats=repeats))
    return tuple(shallower)


@pytest.mark.parametrize("name", one_each())
def test_variables_made_at_one_side_take_images_of_another(name):
    arch = few(tiny(zoo.get(name)))
    net = Network(arch, operators="lax")
    variables, side = abstract_variables(net, arch.resolution, arch.in_channels), arch.resolution + 13
    images = jax.ShapeDtypeStruct((2, side, side, arch.in_channels), jnp.float32)
    expected = (2, side, side, 3) if isinstance(arch.head, MapHead) else (2, 3)
    assert [x.shape for x in jax.tree.leaves(jax.eval_shape(net.apply, variables, images))] == [expected]


@pytest.mark.representatives(3)
@pytest.mark.parametrize("name", one_each(elsewhere=LEARN_ELSEWHERE))
def test_every_parameter_learns_scanned_or_not(name):
    arch = few(tiny(zoo.get(name)))
    variables = initialize(Network(arch), seed=0)
    scanned, unrolled = (learn(arch, variables, scan) for scan in (True, False))
    leaves = jax.tree_util.tree_leaves_with_path(unrolled[0])
    assert not [jax.tree_util.keystr(path) for path, leaf in leaves if not np.any(leaf)]
    assert jax.tree.structure(scanned) == jax.tree.structure(unrolled)
    for part, same in zip(scanned, unrolled):
        assert_equal_to_their_largest(part, same)


def assert_equal_to_their_largest(trees, others):
    """Equal to 1e-4 of the largest number: before a norm some gradients are zero but for rounding."""
    largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(others))
    for one, two in zip(jax.tree.leaves(trees), jax.tree.leaves(others)):
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-4 * largest)


def learn(arch: Arch, variables, scan: bool):
    """Gradients of a loss and logits of one training pass over eight images, by plain convolutions."""
    shape = (8, arch.resolution, arch.resolution, arch.in_channels)
    images_nhwc = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    net = Network(arch, scan=scan, operators="lax")
    keys_b = jax.random.split(jax.random.key(0), len(images_nhwc))  # auxiliary classifiers drop values

    def loss(params):
        variables_now = {**variables, "params": params}
        logits_bk, updates = net.apply(
            variables_now, images_nhwc, train=True, keys_b=keys_b, mutable=["batch_stats", AUXILIARY]
        )
        return total(logits_bk) + auxiliary_loss(updates, total), logits_bk

    def total(answers):
        return sum(jnp.sum(jnp.sin(logits + jnp.arange(3.0))) for logits in jax.tree.leaves(answers))

    gradient = jax.jit(jax.grad(loss, has_aux=True))
    quick = {"xla_backend_optimization_level": 0}  # too small to gain by optimised code
    return gradient.lower(variables["params"]).compile(compiler_options=quick)(variables["params"])
