"""A peer's tensor names for our variables: one naming scheme a peer family, chosen by `Arch.weights`.

A scheme gives the peer's prefix for a module of ours; the leaf is then weight, bias, running_mean or
running_var. Sources: the state dicts of timm's ResNet (torchvision's ResNets agree), RegNet, DenseNet,
ConvNeXt, NASNet and VGG, and of torchvision's AlexNet and SqueezeNet. Mobile and Inception families, and
networks for segmentation, have files of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from scaling.arch.arch import Arch, Sized
from scaling.arch.blocks import Conv, ConvNeXt, Dense, Residual, Transition, XBlock
from scaling.arch.blocks.base import LEADING
from scaling.arch.stages import Stage
from scaling.weights import detection_names
from scaling.weights.detection_names import schemes as detection
from scaling.weights.inception_names import SCHEMES as INCEPTION
from scaling.weights.mobile_names import SCHEMES as MOBILE
from scaling.weights.segmentation_names import schemes as segmentation

LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
    "layer_scale": "gamma",
    "edge_weights": "edge_weights",
    "scale_weight": "scale_weight",
}

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
    **dict.fromkeys(("tv_fasterrcnn", "tv_fasterrcnn_v2"), detection_names.MATRICES),
    "tv_googlenet": {f"auxiliary_{i}/hidden_0/filter": 2 for i in range(2)},
}

REGNET_TOP = {"stem_0/first/conv": "stem.conv", "stem_0/first/norm": "stem.bn", "classifier": "head.fc"}
X_BLOCK = {
    **{f"conv{i}": f"conv{i + 1}.conv" for i in range(3)},
    **{f"norm{i}": f"conv{i + 1}.bn" for i in range(3)},
    "se/reduce": "se.fc1",
    "se/expand": "se.fc2",
    "shortcut": "downsample.conv",
    "norm_shortcut": "downsample.bn",
}
DENSENET_TOP = {
    "stem_0/first/conv": "features.conv0",
    "stem_0/first/norm": "features.norm0",
    "norm_final": "features.norm5",
    "classifier": "classifier",
}
DENSE_LAYER = {"norm_bottleneck": "norm1", "bottleneck": "conv1", "norm": "norm2", "conv": "conv2"}
CELL_INPUTS = {"newer_0": "conv_1x1", "older": "conv_prev_1x1"}
CELL_PARTS = {
    "conv": "conv",
    "norm": "bn",
    "path_0": "path_1.conv",
    "path_1": "path_2.conv",
    "depthwise_0": "separable_1.depthwise_conv2d",
    "project_0": "separable_1.pointwise_conv2d",
    "norm_0": "bn_sep_1",
    "depthwise_1": "separable_2.depthwise_conv2d",
    "project_1": "separable_2.pointwise_conv2d",
    "norm_1": "bn_sep_2",
}
CONVNEXT_TOP = {
    "stem_0/first/conv": "stem.0",
    "stem_0/first/norm": "stem.1",
    "norm_pooled": "head.norm",
    "classifier": "head.fc",
}
CONVNEXT_DOWN = {"norm_down": "downsample.0", "down": "downsample.1"}
CONVNEXT = {
    "": "",
    "depthwise": ".conv_dw",
    "norm": ".norm",
    "expand": ".mlp.fc1",
    "project": ".mlp.fc2",
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


def timm_resnet(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """timm's and torchvision's names of ResNet, ResNeXt, SE-ResNet, wide ResNet and ResNet-RS."""
    if stage is None:
        return {**RESNET_STEMS.get(len(arch.stem), {}), "classifier": "fc"}.get(module)
    value = arch.stages[stage].block
    table = {**RESIDUAL, **SHORTCUTS.get(value.shortcut, {})} if isinstance(value, Residual) else {}
    return f"layer{stage + 1}.{block}.{table[module]}" if module in table else None


def timm_regnet(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """timm's names of RegNet X and Y."""
    if stage is None:
        return REGNET_TOP.get(module)
    table = X_BLOCK if isinstance(arch.stages[stage].block, XBlock) else {}
    return f"s{stage + 1}.b{block + 1}.{table[module]}" if module in table else None


def timm_densenet(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """timm's and torchvision's names of DenseNet, whose stages are dense blocks and transitions in turn."""
    del block
    if stage is None:
        return DENSENET_TOP.get(module)
    value, number = arch.stages[stage].block, stage // 2 + 1
    if isinstance(value, Transition):
        return f"features.transition{number}.{module}"
    layer, _, part = module.removeprefix("layer_").partition("/")
    if not isinstance(value, Dense) or part not in DENSE_LAYER:
        return None
    return f"features.denseblock{number}.denselayer{int(layer) + 1}.{DENSE_LAYER[part]}"


def timm_nasnet(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """timm's names of NASNet (stem, normal and reduction cells numbered apart) and PNASNet."""
    pnasnet = arch.weights == "timm_pnasnet"
    if stage is None:
        where, _, module = module.partition("/first/")
        if where == "classifier":
            return "last_linear"
        if where == "stem_0":
            return f"conv{'_' if pnasnet else ''}0.{module.replace('norm', 'bn')}"
        cell = f"cell_stem_{int(where.removeprefix('stem_')) - 1}"
    else:
        reduces = arch.stages[stage].stride > 1 and not pnasnet
        before = [s for s in arch.stages[:stage] if pnasnet or (s.stride > 1) == reduces]
        cell = f"{'reduction_' if reduces else ''}cell_{sum(s.repeats for s in before) + block}"
    place = _cell_place(module, pnasnet)
    return None if place is None else f"{cell}.{place}"


def _cell_place(module: str, pnasnet: bool) -> str | None:
    where, _, part = module.rpartition("/")
    if where == "older_reduced":
        name = "final_path_bn" if part == "norm" else CELL_PARTS[part]
        return f"conv_prev_1x1.{name}" if pnasnet else name
    if where in CELL_INPUTS:
        return f"{CELL_INPUTS[where]}.{CELL_PARTS[part]}"
    edge, _, node_side = where.partition("/")[0].partition("_")
    if edge != "edge" or part not in CELL_PARTS:
        return None
    node, side = node_side.split("_")
    return f"comb_iter_{node}_{('left', 'right')[int(side)]}.{CELL_PARTS[part]}"


def timm_convnext(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """timm's names of ConvNeXt."""
    if stage is None:
        return CONVNEXT_TOP.get(module)
    if module in CONVNEXT_DOWN:
        return f"stages.{stage}.{CONVNEXT_DOWN[module]}"
    table = CONVNEXT if isinstance(arch.stages[stage].block, ConvNeXt) else {}
    return f"stages.{stage}.blocks.{block}{table[module]}" if module in table else None


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
    "timm_resnet": timm_resnet,
    "timm_regnet": timm_regnet,
    "timm_densenet": timm_densenet,
    "timm_convnext": timm_convnext,
    "timm_nasnet": timm_nasnet,
    "timm_pnasnet": timm_nasnet,
    "timm_vgg": sequential,
    "tv_alexnet": sequential,
    "tv_squeezenet": sequential,
    **MOBILE,
    **INCEPTION,
    **segmentation(timm_resnet),
    **detection(timm_resnet, sequential),
}


def places(arch: Sized, shapes: dict[tuple[str, ...], tuple[int, ...]]) -> Iterator[Place]:
    """Yield the place of every array of ours, layer by layer for stacked ones.

    `shapes` maps paths such as ("params", "stages_1", "rest", "blocks", "expand", "kernel") to shapes.
    Raises ValueError where the architecture has no peer or the scheme lacks a module.
    """
    if not isinstance(arch, Arch) or arch.weights not in SCHEMES:
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
    module = "/".join(path[1:-1])
    return KERNEL_AXES.get(arch.weights, {}).get(module) if path[-1] == "kernel" else None


def _stage_places(arch: Arch, path: tuple[str, ...], shape: tuple[int, ...]) -> Iterator[Place]:
    stage = int(path[1].removeprefix("stages_"))
    if path[2] in LEADING:
        yield Place(path, None, _peer_name(arch, path, path[3:-1], stage, LEADING.index(path[2])))
        return
    before = arch.stages[stage].block.leading_blocks
    for layer in range(shape[0]):
        yield Place(path, layer, _peer_name(arch, path, path[4:-1], stage, layer + before))


def _peer_name(arch: Arch, path, module: tuple[str, ...], stage: int | None, block: int) -> str:
    prefix = SCHEMES[arch.weights](arch, "/".join(module), stage, block)
    if prefix is None:
        raise ValueError(f"{arch.name}: the scheme {arch.weights!r} has no tensor for {'/'.join(path)}.")
    return f"{prefix}.{LEAVES[path[-1]]}"
