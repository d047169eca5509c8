"""The peers' tensor names for the Inception and Xception families: schemes for `scaling.weights.peer_names`.

Ours number branches, layers and split ends: branch_1_2_0_0 is the first end after two layers of branch 1.
Sources: the state dicts of torchvision's GoogLeNet and of timm's Inception v3, v4, Inception-ResNet v2,
Xception and aligned Xception.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scaling.arch.arch import Arch
from scaling.arch.blocks import Fork, Inception, Pool, Xception
from scaling.arch.stages import Stage

LEAVES = {"conv": "conv", "norm": "bn"}
AUXILIARY = {"conv/conv": "conv.conv", "conv/norm": "conv.bn", "hidden_0/filter": "fc1", "classifier": "fc2"}
AUXILIARY_V3 = {
    "conv/conv": "conv0.conv",
    "conv/norm": "conv0.bn",
    "hidden_0/conv": "conv1.conv",
    "hidden_0/norm": "conv1.bn",
    "classifier": "fc",
}

# Mixed_5b to Mixed_7c of Inception v3 by their letter in the paper's order, and each one's branches
V3_MODULES = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
V3_BRANCHES = {
    "A": ("branch1x1", "branch5x5", "branch3x3dbl", "branch_pool"),
    "B": ("branch3x3", "branch3x3dbl", "branch_pool"),
    "C": ("branch1x1", "branch7x7", "branch7x7dbl", "branch_pool"),
    "D": ("branch3x3", "branch7x7x3", "branch_pool"),
    "E": ("branch1x1", "branch3x3", "branch3x3dbl", "branch_pool"),
}
V3_LETTERS: dict[str, str] = dict(zip(V3_MODULES, "AAABCCCCDEE"))
V3_STEM = dict(zip((0, 1, 2, 4, 5), ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3")))
R2_STEM = dict(zip((0, 1, 2, 4, 5), ("1a", "2a", "2b", "3b", "4a")))
R2_STAGES = ("mixed_5b", "repeat.{}", "mixed_6a", "repeat_1.{}", "mixed_7a", "repeat_2.{}", "block8")

LEGACY_TOP = {
    "stem_0/first/conv": "conv1",
    "stem_0/first/norm": "bn1",
    "stem_1/first/conv": "conv2",
    "stem_1/first/norm": "bn2",
    "classifier": "fc",
}
LEGACY_EXIT = {
    f"{ours}{i}": f"{peer.format(i + 3)}"
    for i in range(2)
    for ours, peer in {"depthwise": "conv{}.conv1", "conv": "conv{}.pointwise", "norm": "bn{}"}.items()
}
ALIGNED = {
    f"{ours}{i}": f"stack.conv{i + 1}.{peer}"
    for i in range(3)
    for ours, peer in {
        "depthwise": "conv_dw",
        "norm_depthwise": "bn_dw",
        "conv": "conv_pw",
        "norm": "bn_pw",
    }.items()
}
ALIGNED |= {"shortcut": "shortcut.conv", "norm_shortcut": "shortcut.bn"}


def torchvision_googlenet(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """torchvision's names of GoogLeNet; `inception4a` is the first module after the second pooling."""
    if stage is None:
        where, _, part = module.partition("/")
        if where.startswith("auxiliary_") and part in AUXILIARY:
            return f"aux{int(where.removeprefix('auxiliary_')) + 1}.{AUXILIARY[part]}"
        return _top(module, {0: "conv1", 2: "conv2", 3: "conv3"}, "fc")
    pools = [i for i, s in enumerate(arch.stages[:stage]) if isinstance(s.block, Pool)]
    first = pools[-1] + 1 if pools else 0
    letter = _nth("abcdefghij", _position(arch.stages[first:], stage - first, block))
    branch, leaf = _dotted(arch, stage, module, first=1)
    return branch and letter and f"inception{3 + len(pools)}{letter}.{branch}.{leaf}"


def timm_inception_v3(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """timm's and torchvision's names of Inception v3."""
    if stage is None:
        where, _, part = module.partition("/")
        if where == "auxiliary_0" and part in AUXILIARY_V3:
            return f"AuxLogits.{AUXILIARY_V3[part]}"
        return _top(module, {i: f"Conv2d_{name}" for i, name in V3_STEM.items()}, "fc")
    name = _nth(V3_MODULES, _position(arch.stages, stage, block))
    steps, leaf = _steps(module)
    if name is None or not steps:
        return None
    branch, layers = V3_BRANCHES[V3_LETTERS[name]][steps[0]], _branch(arch, stage, steps[0])
    # Layers are numbered where a branch has several, ends lettered; the pooling's projection is alone
    place = "" if len(layers) == 1 or branch == "branch_pool" else f"_{steps[1] + 1}"
    return f"Mixed_{name}.{branch}{place}{_end(steps)}.{leaf}"


def timm_inception_v4(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """timm's names of Inception v4: one list of layers and modules, from the image on."""
    if module == "classifier":
        return "last_linear"
    stages, place = arch.stem + arch.stages, (stage or 0) + len(arch.stem)
    if stage is None:
        where, _, module = module.partition("/first/")
        place = int(where.removeprefix("stem_"))
    at = f"features.{_position(stages, place, block)}"
    value = stages[place].block
    if not isinstance(value, Inception):
        return f"{at}.{LEAVES[module]}" if module in LEAVES else None
    steps, leaf = _steps(module)
    if not steps:
        return None
    if len(value.branches) == 2 and all(len(branch) == 1 for branch in value.branches):
        return f"{at}.conv.{leaf}"  # a pooling and a convolution side by side
    layers = value.branches[steps[0]]
    separator = "_" if any(isinstance(layer, Fork) for layer in layers) else "."
    inner = "" if len(layers) == 1 else f"{separator}{steps[1]}"
    return f"{at}.branch{steps[0]}{inner}{_end(steps)}.{leaf}"


def timm_inception_resnet_v2(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """timm's names of Inception-ResNet v2."""
    if stage is None:
        head = {"head": "conv2d_7b.conv", "norm_head": "conv2d_7b.bn"}
        return head.get(module) or _top(module, {i: f"conv2d_{n}" for i, n in R2_STEM.items()}, "classif")
    at = (_nth(R2_STAGES, stage) or "").format(block)
    if module == "project":
        return at and f"{at}.conv2d"
    branch, leaf = _dotted(arch, stage, module, first=0)
    return at and branch and f"{at}.{branch}.{leaf}"


def timm_xception(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """timm's names of `legacy_xception`, which counts activations and norms too."""
    if stage is None:
        return LEGACY_TOP.get(module)
    value = arch.stages[stage].block
    if not isinstance(value, Xception):
        return None
    if value.post:
        return LEGACY_EXIT.get(module)
    at = f"block{_position(arch.stages, stage, block) + 1}"
    shortcut = {"shortcut": "skip", "norm_shortcut": "skipbn"}
    if module in shortcut:
        return f"{at}.{shortcut[module]}"
    kind, layer = module[:-1], int(module[-1])
    entry = 3 * layer + (1 if value.first_act else 0)
    parts = {"depthwise": f"{entry}.conv1", "conv": f"{entry}.pointwise", "norm": f"{entry + 1}"}
    return f"{at}.rep.{parts[kind]}" if kind in parts else None


def timm_xception_aligned(arch: Arch, module: str, stage: int | None, block: int) -> str | None:
    """timm's names of the aligned Xceptions."""
    if stage is None:
        return _top(module, {0: "stem.0", 1: "stem.1"}, "head.fc")
    known = isinstance(arch.stages[stage].block, Xception) and module in ALIGNED
    return f"blocks.{_position(arch.stages, stage, block)}.{ALIGNED[module]}" if known else None


SCHEMES: dict[str, Callable[[Arch, str, int | None, int], str | None]] = {
    "tv_googlenet": torchvision_googlenet,
    "timm_inception_v3": timm_inception_v3,
    "timm_inception_v4": timm_inception_v4,
    "timm_inception_resnet_v2": timm_inception_resnet_v2,
    "timm_xception": timm_xception,
    "timm_xception_aligned": timm_xception_aligned,
}


def _top(module: str, stem: dict[int, str], classifier: str) -> str | None:
    """The name of a stem's convolution or norm, or of the classifier."""
    if module == "classifier":
        return classifier
    where, _, leaf = module.partition("/first/")
    place = int(where.removeprefix("stem_")) if where.startswith("stem_") else -1
    return f"{stem[place]}.{LEAVES[leaf]}" if place in stem and leaf in LEAVES else None


def _position(stages: Sequence[Stage], stage: int, block: int) -> int:
    """The number of a block among all blocks of some stages."""
    return sum(s.repeats for s in stages[:stage]) + block


def _nth(names: Sequence[str], place: int) -> str | None:
    """A name by its place; None where a deeper network has more."""
    return names[place] if place < len(names) else None


def _steps(module: str) -> tuple[list[int], str]:
    """Split branch_1_2/conv into [1, 2] and the peer's name of the leaf; no steps where it is no filter."""
    where, _, leaf = module.partition("/")
    if not where.startswith("branch_") or leaf not in LEAVES:
        return [], ""
    return [int(step) for step in where.removeprefix("branch_").split("_")], LEAVES[leaf]


def _end(steps: Sequence[int]) -> str:
    """The letter of a split end."""
    return "ab"[steps[2]] if len(steps) > 2 else ""


def _branch(arch: Arch, stage: int, branch: int):
    value = arch.stages[stage].block
    return value.branches[branch] if isinstance(value, Inception) else ()


def _dotted(arch: Arch, stage: int, module: str, first: int) -> tuple[str, str]:
    """The name of a filter where branches count from `first` and layers of longer ones are a list."""
    steps, leaf = _steps(module)
    if not steps:
        return "", ""
    alone = len(_branch(arch, stage, steps[0])) == 1
    return f"branch{steps[0] + first}" + ("" if alone else f".{steps[1]}"), leaf
