"""torchvision's tensor names for segmentation: schemes for `scaling.weights.peer_names`.

Sources: the state dicts of torchvision's FCN, DeepLabV3 and LR-ASPP; `backbone` is the classifier's body."""

from __future__ import annotations

from collections.abc import Callable

from scaling.arch.arch import Arch
from scaling.arch.blocks import MBConv
from scaling.arch.map_heads import Aspp, LrAspp

AUXILIARY = "aux_classifier."  # of the peers' training alone
FCN = {"conv/conv": "classifier.0", "conv/norm": "classifier.1", "scores": "classifier.4"}
ASPP = {
    "project/conv": "classifier.0.project.0",
    "project/norm": "classifier.0.project.1",
    "conv/conv": "classifier.1",
    "conv/norm": "classifier.2",
    "scores": "classifier.4",
}
LRASPP = {
    "conv/conv": "classifier.cbr.0",
    "conv/norm": "classifier.cbr.1",
    "gate": "classifier.scale.1",
    "scores": "classifier.high_classifier",
    "scores_low": "classifier.low_classifier",
}
MBCONV = ("expand", "depthwise", "se", "project")  # in order; one that a block lacks is not counted


def of_head(arch: Arch, module: str) -> str | None:
    """torchvision's name of a part of the head."""
    part = module.removeprefix("decoder/")
    if not isinstance(arch.head, Aspp):
        return (LRASPP if isinstance(arch.head, LrAspp) else FCN).get(part)
    where, _, layer = part.partition("/")
    if where.startswith("branch_"):
        branch = int(where.removeprefix("branch_"))
        return f"classifier.0.convs.{branch}.{('conv', 'norm').index(layer)}"
    if where == "pooled":
        pooled = 1 + len(arch.head.rates)
        return f"classifier.0.convs.{pooled}.{1 + ('conv', 'norm').index(layer)}"
    return ASPP.get(part)


def mobilenet_v3(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """torchvision's names of MobileNetV3's features, whose blocks are counted from the stem on."""
    if stage is None:
        where, _, layer = module.rpartition("/")
        place = {"stem_0/first": 0, "decoder/last": 1 + arch.depth}.get(where)
        return None if place is None else f"backbone.{place}.{('conv', 'norm').index(layer)}"
    value = arch.stages[stage].block
    if not isinstance(value, MBConv):
        return None
    at = 1 + sum(s.repeats for s in arch.stages[:stage]) + block
    parts = [
        p for p in MBCONV if not (p == "expand" and value.expand == 1 or p == "se" and not value.se_ratio)
    ]
    if module.startswith("se/"):
        return f"backbone.{at}.block.{parts.index('se')}.{({'se/reduce': 'fc1', 'se/expand': 'fc2'})[module]}"
    part = module.removeprefix("norm_")
    return f"backbone.{at}.block.{parts.index(part)}.{int(module != part)}" if part in parts else None


Scheme = Callable[[Arch, str, int | None, int], str | None]


def schemes(resnet: Scheme) -> dict[str, Scheme]:
    """The schemes by name; `resnet` is that of the classifier whose body torchvision's networks have."""

    def residual(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
        if module.startswith("decoder/"):
            return of_head(arch, module)
        name = resnet(arch, module, stage, block)
        return name and f"backbone.{name}"

    def mobile(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
        return mobilenet_v3(arch, module, stage, block) or of_head(arch, module)

    return {"tv_segmentation_resnet": residual, "tv_segmentation_mobilenet_v3": mobile}
