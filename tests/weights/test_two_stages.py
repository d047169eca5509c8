"""Detectors in two stages with torchvision's tensors give its raw outputs: of anchors, of given boxes."""

import importlib.util
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import scaling

# What golden files are made of is told where classifiers are compared
SPEC = importlib.util.spec_from_file_location("golden_rule", Path(__file__).with_name("test_torch.py"))
golden_rule = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(golden_rule)

SIDE = 128
# From a few pixels to all, so that each level is read; one of less than a pixel
BOXES = np.array(
    [[3, 5, 40, 61], [0, 0, 128, 128], [100.5, 90.2, 127, 128], [20, 30, 24.5, 33], [64, 0, 64.5, 100]],
    np.float32,
)


@pytest.fixture(scope="module")
def torchvision():
    torch = pytest.importorskip("torch")
    from experiments.benchmarks.peers import torchvision_shim

    torchvision_shim.make_importable()
    found = pytest.importorskip("torchvision")
    # It compiles its definition of ROI align, for half a minute
    with torch.compiler.set_stance("force_eager"):
        yield found


def peer_of(name, torchvision, images_nchw):
    """The peer with the tensors that follow from its names, and the statistics of these images."""
    import torch

    model = getattr(torchvision.models.detection, name)(weights=None, weights_backbone=None)
    tensors = {key: golden_rule.tensor(key, tuple(value.shape)) for key, value in model.state_dict().items()}
    model.load_state_dict(
        {key: torch.from_numpy(np.asarray(value, np.float32)) for key, value in tensors.items()}
    )
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()
        peer_outputs(model, images_nchw)
        model.eval()
        return model.state_dict(), peer_outputs(model, images_nchw)


def peer_outputs(model, images_nchw):
    import torch

    images, count = torch.from_numpy(images_nchw), len(BOXES)
    features = model.backbone(images)
    flat = lambda x, k: x.permute(0, 2, 3, 1).reshape(len(x), -1, k)
    first = model.rpn.head(list(features.values()))
    found = {
        name: torch.cat([flat(x, k) for x in parts], 1)
        for name, parts, k in zip(("objectness", "pred_bbox_deltas"), first, (1, 4))
    }
    where, heads = ([torch.from_numpy(BOXES)] * len(images), [(SIDE, SIDE)] * len(images)), model.roi_heads
    told = heads.box_predictor(heads.box_head(heads.box_roi_pool(features, *where)))
    found |= {
        name: x.reshape(-1, count, x.shape[-1]) for name, x in zip(("class_logits", "box_regression"), told)
    }
    if heads.mask_head is not None:
        masks = heads.mask_predictor(heads.mask_head(heads.mask_roi_pool(features, *where)))
        found["mask_logits"] = masks.permute(0, 2, 3, 1).reshape(len(images), count, 28, 28, -1)
    return {name: x.numpy() for name, x in found.items()}


@pytest.mark.nightly
@pytest.mark.parametrize(
    "name", ["fasterrcnn_resnet50_fpn_v2", "maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2"]
)
def test_raw_outputs_equal_torchvision_s(name, torchvision):
    images = golden_rule.generator("input").standard_normal((2, 3, SIDE, SIDE)).astype(np.float32)
    state_dict, wanted = peer_of(name, torchvision, images)
    arch = scaling.get(name).replace(resolution=SIDE)
    variables = scaling.load_torch(arch, state_dict)
    net = scaling.build(arch, operators="lax")
    boxes = jnp.tile(BOXES, (len(images), 1, 1))
    apply = lambda variables, x: net.apply(variables, x, train=False, regions=boxes)
    x_nhwc = jnp.asarray(images.transpose(0, 2, 3, 1))
    found = golden_rule.quick(apply, variables, x_nhwc)(variables, x_nhwc)
    assert found.keys() == wanted.keys() | {"proposals"}
    for key, peer in wanted.items():
        assert found[key].shape == peer.shape
        assert golden_rule.spread(found[key] - peer, peer) < 1e-3, key
