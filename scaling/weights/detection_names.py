"""The peers' tensor names for detectors: schemes for `scaling.weights.peer_names`.

Sources: the state dicts of torchvision's RetinaNet, SSD, SSDLite, Faster and Mask R-CNN, and of effdet's
EfficientDet.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, MBConv
from scaling.arch.box_heads import BoxHead
from scaling.weights.mobile_names import timm_efficientnet

Scheme = Callable[[Arch, str, int | None, int], str | None]

# Our modules within "decoder", as patterns, and the peers'
FPN = {
    r"neck/lateral_(\d+)": r"backbone.fpn.inner_blocks.\1.0",
    r"neck/output_(\d+)": r"backbone.fpn.layer_blocks.\1.0",
    r"neck/norm_lateral_(\d+)": r"backbone.fpn.inner_blocks.\1.1",
    r"neck/norm_output_(\d+)": r"backbone.fpn.layer_blocks.\1.1",
}
RETINANET = {
    **FPN,
    r"neck/further_0": r"backbone.fpn.extra_blocks.p6",
    r"neck/further_1": r"backbone.fpn.extra_blocks.p7",
    r"cls_logits/predict": r"head.classification_head.cls_logits",
    r"bbox_regression/predict": r"head.regression_head.bbox_reg",
    r"cls_logits/conv_(\d+)": r"head.classification_head.conv.\1.0",
    r"cls_logits/norm_(\d+)": r"head.classification_head.conv.\1.1",
    r"bbox_regression/conv_(\d+)": r"head.regression_head.conv.\1.0",
    r"bbox_regression/norm_(\d+)": r"head.regression_head.conv.\1.1",
}
FASTERRCNN = {
    **FPN,
    r"rpn/conv_(\d+)": r"rpn.head.conv.\1.0",
    r"rpn/(cls_logits|bbox_pred)": r"rpn.head.\1",
    r"box/hidden_0": r"roi_heads.box_head.fc6",
    r"box/hidden_1": r"roi_heads.box_head.fc7",
    r"box/class_logits": r"roi_heads.box_predictor.cls_score",
    r"box/box_regression": r"roi_heads.box_predictor.bbox_pred",
    r"mask/conv_(\d+)": r"roi_heads.mask_head.\1.0",
    r"mask/norm_(\d+)": r"roi_heads.mask_head.\1.1",
    r"mask/double": r"roi_heads.mask_predictor.conv5_mask",
    r"mask/mask_logits": r"roi_heads.mask_predictor.mask_fcn_logits",
}
# Layers of one window whose kernels the peer stores as matrices
MATRICES = dict.fromkeys(
    (f"decoder/box/{layer}" for layer in ("hidden_0", "hidden_1", "class_logits", "box_regression")), 2
)
FASTERRCNN_V2 = {
    **FASTERRCNN,
    r"box/conv_(\d+)": r"roi_heads.box_head.\1.0",
    r"box/norm_(\d+)": r"roi_heads.box_head.\1.1",
    r"box/hidden_0": r"roi_heads.box_head.5",
}
SSD = {
    r"neck/rescaled": r"backbone",
    r"neck/further_(\d+)/narrow": r"backbone.extra.{next}.0",
    r"neck/further_(\d+)/conv": r"backbone.extra.{next}.2",
    r"cls_logits_(\d+)/predict": r"head.classification_head.module_list.\1",
    r"bbox_regression_(\d+)/predict": r"head.regression_head.module_list.\1",
}
SSDLITE = {
    **{
        rf"neck/further_(\d+)/{ours}": rf"backbone.extra.\1.{peer}"
        for i, name in enumerate(("narrow", "depthwise", "project"))
        for ours, peer in ((name, f"{i}.0"), (f"norm_{name}", f"{i}.1"))
    },
    **{
        rf"{ours}_(\d+)/{part}": rf"head.{head}.module_list.\1.{peer}"
        for ours, head in (("cls_logits", "classification_head"), ("bbox_regression", "regression_head"))
        for part, peer in (("depthwise", "0.0"), ("norm", "0.1"), ("predict", "1"))
    },
}
NODE, PEER_NODE = r"neck/cell_(\d+)/node_(\d+)", r"fpn.cell.\1.fnode.\2"
EFFDET = {
    r"neck/further_(\d+)/conv": r"fpn.resample.{after}.conv.conv",
    r"neck/further_(\d+)/norm": r"fpn.resample.{after}.conv.bn",
    NODE: rf"{PEER_NODE}.combine",
    rf"{NODE}/input_(\d+)/conv": rf"{PEER_NODE}.combine.resample.\3.conv.conv",
    rf"{NODE}/input_(\d+)/norm": rf"{PEER_NODE}.combine.resample.\3.conv.bn",
    rf"{NODE}/separable/depthwise": rf"{PEER_NODE}.after_combine.conv.conv_dw",
    rf"{NODE}/separable/project": rf"{PEER_NODE}.after_combine.conv.conv_pw",
    rf"{NODE}/norm": rf"{PEER_NODE}.after_combine.conv.bn",
    r"(class|box)_net/conv_(\d+)/depthwise": r"\1_net.conv_rep.\2.conv_dw",
    r"(class|box)_net/conv_(\d+)/project": r"\1_net.conv_rep.\2.conv_pw",
    r"(class|box)_net/norm_(\d+)_(\d+)": r"\1_net.bn_rep.\2.\3.bn",
    r"(class|box)_net/predict/depthwise": r"\1_net.predict.conv_dw",
    r"(class|box)_net/predict/project": r"\1_net.predict.conv_pw",
}

# torchvision's index of conv4_3's pooling, the first that SSD counts anew, and of fc6's
POOL_4, FC_6 = 23, 30
EXPANSION, STRIDED, LAST = 13, 9, 11  # of SSDLite: torchvision's feature, and our stages


def detector(backbone: Scheme, prefix: str, table: dict[str, str]) -> Scheme:
    """A scheme of a backbone's names behind a prefix, and a table of those within the head."""

    def scheme(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
        if stage is None and module.startswith("decoder/"):
            return _within(arch, module.removeprefix("decoder/"), table)
        found = backbone(arch, module, stage, block)
        return None if found is None else f"{prefix}{found}"

    return scheme


def _within(arch: Arch, module: str, table: dict[str, str]) -> str | None:
    for ours, peer in table.items():
        if match := re.fullmatch(ours, module):
            assert isinstance(arch.head, BoxHead)
            first = int(match[1]) if match.groups() and match[1].isdigit() else 0
            return match.expand(peer).format(next=first + 1, after=first + arch.head.neck.maps)
    return None


def _ssd_vgg(sequential: Scheme) -> Scheme:
    """torchvision's SSD counts VGG's layers from the fourth pooling anew, and those from fc6 on again."""

    def scheme(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
        found = sequential(arch, module, stage, block)
        if found is None:
            return None
        at = int(found.removeprefix("features."))
        if at < POOL_4:
            return found
        return f"extra.0.7.{at - FC_6}" if at >= FC_6 else f"extra.0.{at - POOL_4}"

    return scheme


def _ssdlite_mobilenet(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """torchvision's names of MobileNetV3, cut in two after the expansion before the last stride."""
    if stage is None:
        return {"stem_0/first/conv": "features.0.0.0", "stem_0/first/norm": "features.0.0.1"}.get(module)
    value = arch.stages[stage].block
    if isinstance(value, Conv):
        part = f"features.1.{LAST - STRIDED + 1}" if stage == LAST else f"features.0.{EXPANSION}"
        return f"{part}.{('conv', 'norm').index(module)}"
    if not isinstance(value, MBConv):
        return None
    if stage == STRIDED:
        return f"features.1.0.{_mbconv(value, module, expanded=True)}"
    if stage > STRIDED:
        return f"features.1.{1 + block}.block.{_mbconv(value, module)}"
    at = 1 + sum(s.repeats for s in arch.stages[:stage]) + block
    return f"features.0.{at}.block.{_mbconv(value, module)}"


def _mbconv(value: MBConv, module: str, expanded: bool = False) -> str:
    """torchvision's place of a layer in a block; `expanded`: one whose expansion stands outside of it."""
    layers = ["expand"] * (value.expand != 1 or expanded) + ["depthwise"]
    layers += ["se"] * bool(value.se_ratio) + ["project"]
    if module.startswith("se/"):
        return f"{layers.index('se')}.{('reduce', 'expand').index(module[3:]) and 'fc2' or 'fc1'}"
    norm = module.startswith("norm_")
    return f"{layers.index(module.removeprefix('norm_'))}.{int(norm)}"


def schemes(resnet: Scheme, sequential: Scheme) -> dict[str, Scheme]:
    """All schemes of detectors, given those of their backbones."""
    return {
        "tv_retinanet": detector(resnet, "backbone.body.", RETINANET),
        "tv_fasterrcnn": detector(resnet, "backbone.body.", FASTERRCNN),
        "tv_fasterrcnn_v2": detector(resnet, "backbone.body.", FASTERRCNN_V2),
        "tv_ssd": detector(_ssd_vgg(sequential), "backbone.", SSD),
        "tv_ssdlite": detector(_ssdlite_mobilenet, "backbone.", SSDLITE),
        "effdet": detector(timm_efficientnet, "backbone.", EFFDET),
    }
