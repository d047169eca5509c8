"""A peer's tensor names for our variables: one naming scheme a peer family, chosen by `Arch.weights`.

A scheme gives the peer's prefix for a module of ours; the leaf is then weight, bias, running_mean or
running_var. Sources: the state dicts of timm's EfficientNet, ResNet (torchvision's ResNets agree) and
VGG, and of torchvision's AlexNet and SqueezeNet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from scaling.arch import Arch, Conv, FusedMBConv, MBConv, Residual, Stage

LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}

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

RESNET_STEMS = {  # by the number of stem stages: one 7x7, or ResNet-RS's three 3x3 and a strided fourth
    2: {"stem_0/first/conv": "conv1", "stem_0/first/norm": "bn1"},
    4: {
        "stem_0/first/conv": "conv1.0",
        "stem_0/first/norm": "conv1.1",
        "stem_1/first/conv": "conv1.3",
        "stem_1/first/norm": "conv1.4",
        "stem_2/first/conv": "conv1.6",
        "stem_2/first/norm": "bn1",
        "stem_3/first/conv": "maxpool.0",
        "stem_3/first/norm": "maxpool.1",
    },
}
RESIDUAL = {
    **{f"conv{i}": f"conv{i + 1}" for i in range(3)},
    **{f"norm{i}": f"bn{i + 1}" for i in range(3)},
    "se/reduce": "se.fc1",
    "se/expand": "se.fc2",
}
SHORTCUTS = {
    "projection": {"shortcut": "downsample.0", "norm_shortcut": "downsample.1"},
    "pool": {"shortcut": "downsample.1", "norm_shortcut": "downsample.2"},
}
SEQUENTIAL_TOPS = {
    "timm_vgg": {"hidden_0": "pre_logits.fc1", "hidden_1": "pre_logits.fc2", "classifier": "head.fc"},
    "tv_alexnet": {"hidden_0": "classifier.1", "hidden_1": "classifier.4", "classifier": "classifier.6"},
    "tv_squeezenet": {"classifier": "classifier.1"},
}
# Axes of a peer's kernels where they are not those of ours: matrices for windows, and the reverse
KERNEL_AXES = {
    "tv_alexnet": {"hidden_0": 2, "hidden_1": 2},
    "tv_squeezenet": {"classifier": 4},
}


@dataclass(frozen=True)
class Place:
    """Where one tensor of a peer goes: our path, and the layer for stacked arrays (else None).

    `axes` is the number of axes of the peer's tensor where it is not that of ours.
    """

    path: tuple[str, ...]
    layer: int | None
    peer: str
    axes: int | None = None


def timm_efficientnet(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """timm's and the TensorFlow ports' names; None where the scheme has no such module."""
    if stage is None:
        return EFFICIENTNET_TOP.get(module)
    value = arch.stages[stage].block
    if isinstance(value, MBConv):
        table = SEPARABLE if value.expand == 1 else MBCONV
    else:
        table = {FusedMBConv: FUSED_MBCONV, Conv: PLAIN_CONV}.get(type(value), {})
    return f"blocks.{stage}.{block}.{table[module]}" if module in table else None


def timm_resnet(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """timm's and torchvision's names of ResNet, ResNeXt, SE-ResNet, wide ResNet and ResNet-RS."""
    if stage is None:
        return {**RESNET_STEMS.get(len(arch.stem), {}), "classifier": "fc"}.get(module)
    value = arch.stages[stage].block
    table = {**RESIDUAL, **SHORTCUTS.get(value.shortcut, {})} if isinstance(value, Residual) else {}
    return f"layer{stage + 1}.{block}.{table[module]}" if module in table else None


def sequential(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """`features.N` of timm's VGG and torchvision's AlexNet and SqueezeNet: N counts convolutions, norms,
    activations, poolings and fire blocks from the image on."""
    if stage is None:
        where, _, module = module.partition("/first/")
        if not module:
            return SEQUENTIAL_TOPS[arch.weights].get(where)
        place = int(where.removeprefix("stem_"))
    else:
        place = len(arch.stem) + stage
    stages = arch.stem + arch.stages
    at = sum(_entries(s) * s.repeats for s in stages[:place]) + _entries(stages[place]) * block
    if isinstance(stages[place].block, Conv):
        return f"features.{at + ('conv', 'norm').index(module)}"
    return f"features.{at}.{module}"


def _entries(stage: Stage) -> int:
    """Modules that a block adds to a peer's list."""
    return 1 + stage.block.norm + stage.block.act if isinstance(stage.block, Conv) else 1


Scheme = Callable[[Arch, str, int | None, int], str | None]
SCHEMES: dict[str, Scheme] = {
    "timm_efficientnet": timm_efficientnet,
    "timm_resnet": timm_resnet,
    "timm_vgg": sequential,
    "tv_alexnet": sequential,
    "tv_squeezenet": sequential,
}


def places(arch: Arch, shapes: dict[tuple[str, ...], tuple[int, ...]]) -> Iterator[Place]:
    """Yield the place of every array of ours, layer by layer for stacked ones.

    `shapes` maps paths such as ("params", "stages_1", "rest", "blocks", "expand", "kernel") to shapes.
    Raises ValueError where the architecture has no peer or the scheme lacks a module.
    """
    if arch.weights not in SCHEMES:
        raise ValueError(
            f"{arch.name}: weights={arch.weights!r} names no peer, so its tensors have no names here; "
            f"known schemes: {', '.join(SCHEMES)}."
        )
    for path, shape in shapes.items():
        if path[1].startswith("stages_"):
            yield from _stage_places(arch, path, shape)
        else:
            yield Place(path, None, _peer_name(arch, path, path[1:-1], None, 0), _axes(arch, path))


def _axes(arch: Arch, path: tuple[str, ...]) -> int | None:
    return KERNEL_AXES.get(arch.weights, {}).get(path[1]) if path[-1] == "kernel" else None


def _stage_places(arch: Arch, path: tuple[str, ...], shape: tuple[int, ...]) -> Iterator[Place]:
    stage = int(path[1].removeprefix("stages_"))
    if path[2] == "first":
        yield Place(path, None, _peer_name(arch, path, path[3:-1], stage, 0))
        return
    for layer in range(shape[0]):
        yield Place(path, layer, _peer_name(arch, path, path[4:-1], stage, layer + 1))


def _peer_name(arch: Arch, path, module: tuple[str, ...], stage: int | None, block: int) -> str:
    prefix = SCHEMES[arch.weights](arch, "/".join(module), stage, block)
    if prefix is None:
        raise ValueError(f"{arch.name}: the scheme {arch.weights!r} has no tensor for {'/'.join(path)}.")
    return f"{prefix}.{LEAVES[path[-1]]}"
