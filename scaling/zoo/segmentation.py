"""Networks that give every pixel a class, by torchvision's names: FCN, DeepLabV3 and LR-ASPP, 21 classes.

Without the auxiliary classifier. Values of a residual network's maps lie at most 8 pixels apart, those of
MobileNetV3's 16.
"""

from __future__ import annotations

import dataclasses

from scaling.arch.arch import Arch
from scaling.arch.blocks import MBConv
from scaling.arch.map_heads import Aspp, Fcn, LrAspp, MapHead
from scaling.arch.norm import Norm
from scaling.arch.stages import Stage
from scaling.zoo import mobilenet_v3, resnet

# Of torchvision's published weights (_VOC_CATEGORIES, resize_size) in models/segmentation
VOC = {"num_classes": 21, "resolution": 520, "drop_rate": 0.0}
PAPERS = {
    "fcn": "arXiv 1411.4038, torchvision 0.28 models/segmentation/fcn.py",
    "deeplabv3": "arXiv 1706.05587, torchvision 0.28 models/segmentation/deeplabv3.py",
    "lraspp": "arXiv 1905.02244 section 6.4, torchvision 0.28 models/segmentation/lraspp.py",
}


def _residual(family: str, depth: int, head: MapHead) -> Arch:
    backbone = resnet.ARCHS[f"resnet{depth}"].replace(output_stride=8, weights="tv_segmentation_resnet")
    return backbone.replace(
        name=f"{family}_resnet{depth}", family=family, head=head, source=PAPERS[family], **VOC
    )


def _mobile_stages() -> tuple[Stage, ...]:
    """MobileNetV3's, with the last stride traded for a dilation that its own block takes too.

    LR-ASPP reads the block that strides to 8, so that block is a stage of its own. Source: torchvision 0.28
    models/mobilenetv3.py, dilated=True."""
    stages = mobilenet_v3.LARGE.stages
    eighth, last = stages[3], stages[8]
    assert isinstance(last.block, MBConv)
    return (
        *stages[:3],
        dataclasses.replace(eighth, repeats=1),
        Stage(eighth.block, eighth.width, eighth.repeats - 1),
        *stages[4:8],
        dataclasses.replace(last, block=dataclasses.replace(last.block, dilation=2), stride=1),
    )


def _mobile(family: str, head: MapHead) -> Arch:
    return mobilenet_v3.LARGE.replace(
        name=f"{family}_mobilenet_v3_large",
        family=family,
        stages=_mobile_stages(),
        head=head,
        norm=Norm(eps=1e-3, momentum=0.99),
        weights="tv_segmentation_mobilenet_v3",
        source=PAPERS[family],
        **VOC,
    )


_PLAIN = {"last": 960, "act": "relu", "norm": Norm()}  # torchvision's heads on MobileNetV3
_ARCHS = [
    _residual("fcn", 50, Fcn()),
    _residual("fcn", 101, Fcn()),
    _residual("deeplabv3", 50, Aspp()),
    _residual("deeplabv3", 101, Aspp()),
    _mobile("deeplabv3", Aspp(**_PLAIN)),
    _mobile("lraspp", LrAspp(**_PLAIN)),
]
ARCHS = {arch.name: arch for arch in _ARCHS}
