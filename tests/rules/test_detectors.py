"""EfficientDet's rule: its paper's sizes, any phi of any sign, over any backbone."""

import dataclasses
import itertools

import pytest

import scaling
from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv
from scaling.arch.box_heads import BOX_HEADS
from scaling.arch.region_heads import REGION_HEADS
from scaling.arch.stages import Stage
from scaling.rules.factors import EFFICIENTDET, EFFICIENTNET, Detectors
from scaling.rules.scale import apply, coefficients, scale
from scaling.runs.resolve import resolve
from scaling.runs.spec import ModelSpec

D0 = scaling.get("efficientdet_d0")

# arXiv 1911.09070 Table 1: side, EfficientNet, BiFPN's channels and layers, layers of the towers
TABLE_1 = {
    "d0": (512, "b0", 64, 3, 3),
    "d1": (640, "b1", 88, 4, 3),
    "d2": (768, "b2", 112, 5, 3),
    "d3": (896, "b3", 160, 6, 4),
    "d4": (1024, "b4", 224, 7, 4),
    "d5": (1280, "b5", 288, 7, 4),
    "d6": (1280, "b6", 384, 8, 5),
    "d7": (1536, "b6", 384, 8, 5),
    "d7x": (1536, "b7", 384, 8, 5),
}


def layout(arch: Arch) -> tuple[int, int, int, int]:
    head = arch.head
    return arch.resolution, head.neck.width, head.neck.cells, head.repeats


@pytest.mark.parametrize("size", TABLE_1)
def test_published_sizes_are_the_paper_s(size):
    side, backbone, width, cells, repeats = TABLE_1[size]
    arch = apply(D0, EFFICIENTDET, size)
    assert layout(arch) == (side, width, cells, repeats)
    assert arch.stages == scaling.get(f"efficientnet_{backbone}").stages
    assert arch.head.neck.fusion == ("sum" if size in ("d6", "d7", "d7x") else "fast")
    assert arch.head.priors.scale == (5.0 if size == "d7" else 4.0)
    assert arch.head.neck.levels == (6 if size == "d7x" else 5)


@pytest.mark.parametrize("phi", range(4))
def test_the_formula_is_that_of_the_paper(phi):
    arch = apply(D0, EFFICIENTDET, float(phi))
    width = 8 * round(64 * 1.35**phi / 8)
    assert layout(arch) == (512 + 128 * phi, width, 3 + phi, 3 + phi // 3)
    assert arch.stages == scaling.get(f"efficientnet_b{phi}").stages


def test_phi_0_is_the_identity():
    assert apply(D0, EFFICIENTDET, 0.0) == D0
    assert coefficients(D0, EFFICIENTDET, 0.0).depth == 1


def test_every_part_only_grows_with_phi():
    sizes = [apply(D0, EFFICIENTDET, phi / 4) for phi in range(-15, 33)]
    for small, large in itertools.pairwise(sizes):
        assert all(a <= b for a, b in zip(layout(small), layout(large)))
        assert small.depth <= large.depth and small.widths <= large.widths
    assert sizes[0].resolution == 128 and layout(sizes[0])[2:] == (1, 1)


HEADS = {**BOX_HEADS, **REGION_HEADS}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("base", ["resnet18", "mobilenetv3_small_100", "convnext_tiny"])
def test_any_backbone_and_head_scale(base, head):
    arch = scaling.get(base).replace(head=HEADS[head], num_classes=4, resolution=256)
    small, large = (apply(arch, EFFICIENTDET, phi) for phi in (-2.0, 2.0))
    assert small.resolution == 128 and large.resolution == 384
    assert small.widths < arch.widths < large.widths
    assert small.head != arch.head != large.head
    assert apply(arch, EFFICIENTDET, "d2").stages == scale(arch, 1.2, 1.1).stages
    if hidden := getattr(getattr(arch.head, "box", None), "hidden", ()):
        assert small.head.box.hidden < hidden < large.head.box.hidden


def test_a_small_image_keeps_to_the_strides_of_its_maps():
    arch = D0.replace(resolution=96)
    assert [apply(arch, EFFICIENTDET, phi).resolution for phi in (-3.0, -1.0, 1.0, 2.0)] == [32, 64, 128, 160]


@pytest.mark.parametrize("phi", [-4.0, -20.0, float("inf"), float("nan")])
def test_a_phi_that_leaves_no_side_is_refused(phi):
    with pytest.raises(ValueError, match="leaves rule 'efficientdet' no side"):
        apply(D0, EFFICIENTDET, phi)


def test_a_config_whose_side_rounding_would_hold_up_is_refused():
    spec = ModelSpec("resnet18", head="efficientdet", base_resolution=256, rule="efficientdet", phi=-3.75)
    with pytest.raises(ValueError, match="phi=-3.75 gives resnet18 a side of 16 pixels, but the least is"):
        resolve(spec, 3, 3)


def test_a_network_that_does_not_detect_is_refused():
    with pytest.raises(ValueError, match="scales networks that detect"):
        apply(scaling.get("resnet18"), EFFICIENTDET, 1.0)
    with pytest.raises(ValueError, match="'efficientdet' has no size 'd9'"):
        apply(D0, EFFICIENTDET, "d9")


def test_a_config_names_the_rule_by_size_or_phi():
    spec = {"name": "resnet18", "head": "efficientdet", "base_resolution": 128, "rule": "efficientdet"}
    by_size, factors = resolve(ModelSpec(**spec, size="d3"), 3, 3)
    by_phi, _ = resolve(ModelSpec(**spec, phi=-1.0), 3, 3)
    base, _ = resolve(ModelSpec(**spec), 3, 3)
    assert layout(by_size) == (224, 160, 6, 4) and factors.depth == 1.4
    assert layout(by_phi) == (96, 48, 2, 2)
    assert layout(base) == (128, 64, 3, 3) and base.name == "resnet18"


def test_a_config_s_small_image_has_no_levels_below_a_pixel():
    spec = ModelSpec("resnet18", head="efficientdet", base_resolution=48)
    arch, _ = resolve(spec, 3, 3)
    assert [level[:2] for level in arch.head.levels(arch, 48, 48)] == [(8, 6), (16, 3), (32, 2)]
    assert resolve(dataclasses.replace(spec, base_resolution=512), 3, 3)[0].head == BOX_HEADS["efficientdet"]


def test_it_is_solved_for_a_budget_of_parameters():
    base, stage = scaling.get("cifar_resnet20"), Stage(Conv(), 16, stride=2)
    arch = base.replace(stages=(stage, stage), head=BOX_HEADS["efficientdet"], resolution=32)
    found = scaling.solve(arch, along="efficientdet", params=2 * scaling.count(arch).params)
    assert isinstance(found.rule, Detectors) and found.at > 0
    assert scaling.count(found.arch).params == pytest.approx(2 * scaling.count(arch).params, rel=0.1)
    assert EFFICIENTNET.size("b0").depth == 1
