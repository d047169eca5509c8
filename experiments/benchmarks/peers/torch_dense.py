"""Peers' networks that answer for every place of an image: torchvision's segmenters, effdet's detectors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from experiments.benchmarks.peers.torchvision_shim import make_importable


def build(model: str, resolution: int) -> nn.Module:
    """Make the network without weights; effdet's returns raw class and box maps of each level."""
    make_importable()
    if model.startswith(("tf_efficientdet", "efficientdet")):
        from effdet import EfficientDet, get_efficientdet_config

        config = get_efficientdet_config(model)
        config.image_size = (resolution, resolution)
        return EfficientDet(config, pretrained_backbone=False)
    from torchvision.models import segmentation

    net = getattr(segmentation, model)(weights=None, weights_backbone=None, aux_loss=False)
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # no contender drops anything
    return net


def values(outputs: Any) -> Iterator[torch.Tensor]:
    """The tensors of nested dicts, lists and tuples."""
    if isinstance(outputs, torch.Tensor):
        yield outputs
        return
    for value in outputs.values() if isinstance(outputs, dict) else outputs:
        yield from values(value)
