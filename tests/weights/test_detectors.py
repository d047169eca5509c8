"""Detectors with their peers' tensors give their peers' raw outputs."""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scaling
from scaling.arch.blocks import Conv
from scaling.arch.box_heads import BOX_HEADS
from scaling.arch.stages import Stage

# What golden files are made of is told where classifiers are compared
SPEC = importlib.util.spec_from_file_location("golden_rule", Path(__file__).with_name("test_torch.py"))
golden_rule = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(golden_rule)

GOLDENS = ["tf_efficientdet_d0_128", "efficientdet_d1_128", "retinanet_resnet50_fpn_128", "ssd300_vgg16_300"]


@pytest.mark.representatives(1)
@pytest.mark.parametrize("name", GOLDENS)
def test_outputs_equal_the_peers(name, shared):
    golden = np.load(shared / "parity_tasks" / f"{name}.npz", allow_pickle=False)
    arch = scaling.get(name.rpartition("_")[0])
    variables = scaling.load_torch(arch, golden_rule.peer_tensors(golden))
    assert sum(x.size for x in jax.tree.leaves(variables["params"])) == int(golden["params"])
    wanted = {key.removeprefix("out:"): golden[key] for key in golden.files if key.startswith("out:")}
    first = next(iter(wanted.values()))
    side = int(golden["resolution"])
    images = golden_rule.generator("input").standard_normal((len(first), 3, side, side)).astype(np.float32)
    images, net = jnp.asarray(images.transpose(0, 2, 3, 1)), scaling.build(arch, operators="lax")
    found = golden_rule.quick(net.apply, variables, images)(variables, images)
    assert set(found) == set(wanted)
    for key, peer in wanted.items():
        peer = peer.transpose(0, 2, 3, 1) if peer.ndim == 4 else peer
        assert found[key].shape == peer.shape
        # Where no value tells the images apart, all that reaches a norm is its mean: what is compared is
        # rounding times 32 a norm (1 / sqrt(eps)), and the peer in float64 is 3e-3 from its own record.
        bar = 1e-2 if np.array_equal(peer[0], peer[-1]) and len(peer) > 1 else 1e-3
        assert golden_rule.spread(found[key] - peer, peer) < bar, key
    again = scaling.load_torch(arch, scaling.to_torch(arch, variables))
    jax.tree.map(np.testing.assert_array_equal, again, variables)


def test_another_number_of_classes_draws_their_predictions_anew():
    base, stage = scaling.get("cifar_resnet20"), Stage(Conv(), 16, stride=2)
    arch = base.replace(stages=(stage, stage), head=BOX_HEADS["ssd"], num_classes=3, resolution=32)
    variables = scaling.initialize(scaling.build(arch), seed=1)
    changed, found = scaling.replace_head(arch, variables, 5)
    expected = scaling.initialize(scaling.build(changed), seed=0)
    equal = jax.tree.map(lambda a, b: np.shape(a) == np.shape(b), found, expected)
    assert changed.num_classes == 5 and all(jax.tree.leaves(equal))
    new, old = found["params"]["decoder"], variables["params"]["decoder"]
    for i in range(6):
        drawn = expected["params"]["decoder"][f"cls_logits_{i}"]["predict"]
        jax.tree.map(np.testing.assert_array_equal, new[f"cls_logits_{i}"]["predict"], drawn)
        jax.tree.map(np.testing.assert_array_equal, new[f"bbox_regression_{i}"], old[f"bbox_regression_{i}"])
