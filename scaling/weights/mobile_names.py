"""The peers' tensor names for EfficientNet and the mobile families: schemes for `scaling.weights.peer_names`.

Sources: the state dicts of timm's EfficientNet, MobileNetV3 and GhostNet, and of torchvision's ShuffleNet V2.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, DepthwiseSeparable, FusedMBConv, GhostBottleneck, MBConv, ShuffleV2

EFFICIENTNET_TOP = {
    "stem_0/first/conv": "conv_stem",
    "stem_0/first/norm": "bn1",
    "head": "conv_head",
    "norm_head": "bn2",
    "classifier": "classifier",
}
MBCONV = {
    "expand": "conv_pw",
    "norm_expand": "bn1",
    "depthwise": "conv_dw",
    "norm_depthwise": "bn2",
    "se/reduce": "se.conv_reduce",
    "se/expand": "se.conv_expand",
    "project": "conv_pwl",
    "norm_project": "bn3",
}
SEPARABLE = {**MBCONV, "norm_depthwise": "bn1", "project": "conv_pw", "norm_project": "bn2"}
FUSED_MBCONV = {"expand": "conv_exp", "norm_expand": "bn1", "project": "conv_pwl", "norm_project": "bn2"}
PLAIN_CONV = {"conv": "conv", "norm": "bn1"}

# timm's stage of each of our stages: timm keeps blocks that differ in one stage
MOBILENET_V3_LARGE = (0, 1, 1, 2, 3, 3, 3, 4, 5)
MOBILENET_V3_SMALL = (0, 1, 1, 2, 2, 3, 4)
SHUFFLENET_TOP = {
    "stem_0/first/conv": "conv1.0",
    "stem_0/first/norm": "conv1.1",
    "head": "conv5.0",
    "norm_head": "conv5.1",
    "classifier": "fc",
}
SHUFFLE = {
    "depthwise_shortcut": "branch1.0",
    "norm_depthwise_shortcut": "branch1.1",
    "shortcut": "branch1.2",
    "norm_shortcut": "branch1.3",
    "conv0": "branch2.0",
    "norm0": "branch2.1",
    "depthwise": "branch2.3",
    "norm_depthwise": "branch2.4",
    "conv1": "branch2.5",
    "norm1": "branch2.6",
}

# timm's stage and block of each of our blocks, counted from the image on
GHOSTNET = ("0.0", "1.0", "2.0", "3.0", "4.0", "5.0", *(f"6.{i}" for i in range(5)), "7.0")
GHOSTNET += tuple(f"8.{i}" for i in range(4))
GHOST = {
    **{
        f"{ours}/{leaf}": f"{peer}.{place}"
        for ours, peer in {"expand": "ghost1", "project": "ghost2"}.items()
        for leaf, place in {
            "primary": "primary_conv.0",
            "norm_primary": "primary_conv.1",
            "cheap": "cheap_operation.0",
            "norm_cheap": "cheap_operation.1",
        }.items()
    },
    "depthwise": "conv_dw",
    "norm_depthwise": "bn_dw",
    "se/reduce": "se.conv_reduce",
    "se/expand": "se.conv_expand",
    "depthwise_shortcut": "shortcut.0",
    "norm_depthwise_shortcut": "shortcut.1",
    "shortcut": "shortcut.2",
    "norm_shortcut": "shortcut.3",
}


def timm_efficientnet(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """timm's and the TensorFlow ports' names; None where the scheme has no such module."""
    if stage is None:
        return EFFICIENTNET_TOP.get(module)
    table = _efficientnet_block(arch, stage)
    return f"blocks.{stage}.{block}.{table[module]}" if module in table else None


def timm_mobilenet_v3(
    groups: tuple[int, ...], arch: Arch, module: str, stage: int | None, block: int
) -> str | None:
    """timm's names of MobileNetV3; `groups` gives timm's stage of each of ours."""
    if stage is None:
        last = f"blocks.{groups[-1] + 1}.0"
        head = {"head": f"{last}.conv", "norm_head": f"{last}.bn1", "hidden_0": "conv_head"}
        return {**EFFICIENTNET_TOP, **head}.get(module)
    table = _efficientnet_block(arch, stage)
    before = sum(s.repeats for s, group in zip(arch.stages[:stage], groups) if group == groups[stage])
    return f"blocks.{groups[stage]}.{before + block}.{table[module]}" if module in table else None


def _efficientnet_block(arch: Arch, stage: int) -> dict[str, str]:
    value = arch.stages[stage].block
    if isinstance(value, MBConv):
        return SEPARABLE if value.expand == 1 else MBCONV
    tables = {FusedMBConv: FUSED_MBCONV, Conv: PLAIN_CONV, DepthwiseSeparable: SEPARABLE}
    return tables.get(type(value), {})


def timm_ghostnet(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """timm's names of GhostNet, whose blocks it parts by the stages of its table."""
    if stage is None:
        head = {"head": "blocks.9.0.conv", "norm_head": "blocks.9.0.bn1", "hidden_0": "conv_head"}
        return {**EFFICIENTNET_TOP, **head}.get(module)
    at = sum(s.repeats for s in arch.stages[:stage]) + block
    known = isinstance(arch.stages[stage].block, GhostBottleneck) and module in GHOST and at < len(GHOSTNET)
    return f"blocks.{GHOSTNET[at]}.{GHOST[module]}" if known else None


def torchvision_shufflenet(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """torchvision's names of ShuffleNet V2."""
    if stage is None:
        return SHUFFLENET_TOP.get(module)
    known = isinstance(arch.stages[stage].block, ShuffleV2) and module in SHUFFLE
    return f"stage{stage + 2}.{block}.{SHUFFLE[module]}" if known else None


SCHEMES: dict[str, Callable[[Arch, str, int | None, int], str | None]] = {
    "timm_efficientnet": timm_efficientnet,
    "timm_mobilenet_v3_large": functools.partial(timm_mobilenet_v3, MOBILENET_V3_LARGE),
    "timm_mobilenet_v3_small": functools.partial(timm_mobilenet_v3, MOBILENET_V3_SMALL),
    "timm_ghostnet": timm_ghostnet,
    "torchvision_shufflenet": torchvision_shufflenet,
}
