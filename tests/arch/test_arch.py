"""An architecture is a value: equal, hashable, JSON-able, changed by copying, checked when made."""

import dataclasses
import json

import pytest

from scaling.arch.arch import Arch, Norm
from scaling.arch.blocks import (
    Conv,
    Dense,
    FusedMBConv,
    Local,
    LocalNorm,
    MBConv,
    MLPConv,
    Pool,
    Residual,
    XBlock,
)
from scaling.arch.embedding_heads import Embedding
from scaling.arch.gan_heads import Adversarial
from scaling.arch.head import Auxiliary, Head
from scaling.arch.map_heads import Aspp, UNet
from scaling.arch.stages import Stage, settle

ARCH = Arch(
    name="all_blocks",
    family="tests",
    stem=(Stage(Conv(kernel=7), 8, stride=2), Stage(Pool(), 8, stride=2)),
    stages=(
        Stage(MBConv(), 8, repeats=2),
        Stage(FusedMBConv(), 16, stride=2),
        Stage(Residual(kernels=(1, 3, 1), inner=0.25, groups=2), 32, repeats=3, stride=2),
    ),
    head=Head(width=64),
    resolution=64,
    norm=Norm(eps=1e-3, momentum=0.99),
)


def test_json_round_trip():
    again = Arch.from_json(ARCH.to_json())
    assert again == ARCH and hash(again) == hash(ARCH) and again.to_json() == ARCH.to_json()
    assert Arch.from_dict(json.loads(json.dumps(ARCH.to_dict()))) == ARCH


def test_fields_that_came_later_are_written_only_where_they_are_used():
    assert '"pad"' not in ARCH.to_json() and '"hidden"' not in ARCH.to_json()
    stages = (Stage(Conv(pad=0), 8), Stage(Pool(ceil=True, pad=0), 8))
    later = ARCH.replace(stages=stages, head=Head(hidden=(8, 4), grid=2))
    text = later.to_json()
    assert Arch.from_json(text) == later
    assert '"pad":0' in text and '"hidden":[8,4]' in text and '"slide"' not in text


def test_equal_values_are_one_key_and_different_ones_are_not():
    wider = ARCH.replace(head=Head(width=65))
    assert len({ARCH, ARCH.replace(), Arch.from_json(ARCH.to_json())}) == 1
    assert wider != ARCH and len({ARCH, wider}) == 2


def test_it_cannot_be_mutated():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ARCH.resolution = 32  # pyright: ignore[reportAttributeAccessIssue]


def test_replace_copies():
    copy = ARCH.replace(num_classes=10, resolution=32)
    assert (copy.num_classes, copy.resolution) == (10, 32)
    assert (ARCH.num_classes, ARCH.resolution) == (1000, 64)
    assert copy.stages == ARCH.stages


def test_a_small_stem_keeps_every_pixel():
    small = ARCH.replace(stem="small")
    assert small.stem == (Stage(Conv(kernel=3), 8, stride=1),)
    assert small.stages == ARCH.stages and small.replace(stem="small") == small


def test_strides_are_those_of_stem_and_stages():
    assert ARCH.strides == (2, 2, 1, 2, 2)
    assert ARCH.replace(strides=ARCH.strides) == ARCH
    changed = ARCH.replace(strides=[1, 1, 2, 1, 1])
    assert changed.strides == (1, 1, 2, 1, 1) and changed.widths == ARCH.widths
    assert ARCH.replace(stem="small", strides=(1, 2, 2, 2)).strides == (1, 2, 2, 2)


def test_depth_and_widths():
    assert ARCH.depth == 6 and ARCH.widths == (8, 16, 32)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"resolution": 0}, "all_blocks: resolution=0 must be an integer of at least 1"),
        ({"resolution": 32.0}, r"resolution=32\.0"),
        ({"num_classes": -1}, "num_classes=-1"),
        ({"in_channels": 0}, "in_channels=0"),
        ({"padding": "valid"}, "padding='valid' must be 'torch' or 'tf'"),
        ({"drop_rate": 1.0}, r"drop_rate=1\.0 must be in \[0, 1\)"),
        ({"drop_path_rate": -0.1}, r"drop_path_rate=-0\.1"),
        ({"stages": (Stage(Conv(), 0),)}, "width, repeats or stride below 1"),
        ({"stages": (Stage(Conv(), 8, repeats=0),)}, "width, repeats or stride below 1"),
        ({"strides": (1, 2)}, r"strides=\(1, 2\) has 2 entries.*give 5 strides, now \(2, 2, 1, 2, 2\)"),
        ({"strides": (1, 2, 0, 1, 1)}, "width, repeats or stride below 1"),
        ({"stages": (Stage(Conv(kernel=0), 8),)}, r"stage 2 has Conv\.kernel=0, which must be above 0"),
        ({"stages": (Stage(Conv(groups=0), 8),)}, r"Conv\.groups=0"),
        ({"stages": (Stage(MBConv(expand=0), 8),)}, r"MBConv\.expand=0"),
        ({"stages": (Stage(MBConv(dilation=0), 8),)}, r"MBConv\.dilation=0"),
        ({"stages": (Stage(Residual(inner=0.0), 8),)}, r"Residual\.inner=0\.0"),
        ({"stages": (Stage(Residual(kernels=(3, 0)), 8),)}, r"Residual\.kernels=\(3, 0\)"),
        ({"stages": (Stage(XBlock(16), 8),)}, "width=8, less than the group_width=16"),
        ({"stages": (Stage(MLPConv(inner=(8, 0)), 8),)}, r"MLPConv\.inner=\(8, 0\)"),
        ({"stages": (Stage(LocalNorm(size=0), 8),)}, r"LocalNorm\.size=0"),
        ({"head": Head(width=0)}, r"the head has Head\.width=0"),
        ({"head": Aspp(width=0)}, r"the head Aspp has Aspp\.width=0"),
        ({"head": Aspp(rates=(1, 0))}, r"Aspp\.rates=\(1, 0\)"),
    ],
)
def test_an_impossible_network_is_refused_with_the_value_and_the_rule(changes, message):
    with pytest.raises(ValueError, match=message):
        ARCH.replace(**changes)


def test_an_unknown_field_is_named():
    with pytest.raises(TypeError, match="'widht'"):
        ARCH.replace(widht=3)


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"stages": settle((Stage(Dense(growth=1, layers=2000), 8),), 8)}, "Dense.layers=2000"),
        ({"stages": (Stage(LocalNorm(size=2000), 8),)}, "LocalNorm.size=2000"),
        ({"stages": (Stage(Local(2000), 8),)}, "Local.kernel=2000"),
        ({"stages": settle((Stage(Dense(growth=1, layers=900), 8),) * 12, 8)}, "10801 blocks"),
        ({"head": Head(hidden=(8,), grid=2000)}, "Head.grid=2000"),
        ({"head": UNet(convs=2000)}, "UNet.convs=2000"),
        ({"head": Adversarial(convs=2000)}, "Adversarial.convs=2000"),
        ({"head": Adversarial(grid=2000)}, "Adversarial.grid=2000"),
        ({"head": Embedding(grid=2000)}, "Embedding.grid=2000"),
        ({"auxiliary": (Auxiliary(0, grid=2000),)}, "Auxiliary.grid=2000"),
    ],
)
def test_a_file_s_network_that_would_take_for_ever_is_refused(changes, told):
    arch = ARCH.replace(stem=(Stage(Conv(), 8, stride=2),)).replace(**changes)
    with pytest.raises(ValueError, match=f"{told} .*more than the .* that a file may hold"):
        Arch.from_json(arch.to_json())


@pytest.mark.parametrize(
    "text, message",
    [
        ('{"type": "Transformer"}', "Unknown architecture value 'Transformer'; known: .*MBConv"),
        ('{"type": "Conv"}', "Expected a serialised Arch, got Conv"),
        ("[]", "Expected a serialised Arch, got tuple"),
        ("3", "Expected a serialised Arch, got int"),
    ],
)
def test_other_json_is_refused(text, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Arch.from_json(text)
