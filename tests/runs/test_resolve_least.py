"""A rule goes down as far as strides and channels of its base allow, and up as far as can be counted."""

import pytest

from scaling.rules.scale import compound
from scaling.runs.resolve import resolve
from scaling.runs.spec import ModelSpec
from scaling.zoo import get


def arch_of(**changes):
    return resolve(ModelSpec(name="cifar_resnet20", base_resolution=16, **changes), 10, 3)[0]


@pytest.mark.parametrize("name", ["cifar_resnet20", "efficientnet_b0"])
def test_what_is_refused_is_what_rounding_would_not_follow(name):
    """Every phi down to the refusal has a side of its own by the rule; from there on `scale` holds it."""
    base = get(name)
    for tenths in range(200):
        arch = compound(base, -tenths / 10)
        follows = abs(arch.resolution - base.resolution * 1.15 ** (-tenths / 10)) <= 0.5
        try:
            assert resolve(ModelSpec(name=name, phi=-tenths / 10), 1000, 3)[0].resolution == arch.resolution
            assert follows
        except ValueError as error:
            assert not follows and "choose a larger phi" in str(error)


def test_a_factor_of_one_axis_is_refused_likewise():
    assert arch_of(rule="axes", resolution=0.25).resolution == 4
    with pytest.raises(ValueError, match=r"config\.model\.width=1, config\.model\.resolution=0\.2 gives"):
        arch_of(rule="axes", resolution=0.2)
    with pytest.raises(ValueError, match="narrowest stage of cifar_resnet20 0.16 of a channel"):
        arch_of(rule="axes", width=0.01)
    with pytest.raises(ValueError, match="config.model.phi=-9 leaves the narrowest stage"):
        arch_of(rule="width", phi=-9.0)


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"phi": 50.0}, r"config\.model\.phi=50 gives .* 81,906 blocks and a side of"),
        ({"rule": "resolution", "phi": 120.0}, "the most are 10,000 and 1,048,576: choose a smaller phi"),
        ({"rule": "axes", "depth": 1e5}, r"config\.model\.depth=100000, .* 900,000 blocks"),
    ],
)
def test_what_no_machine_could_count_is_refused(changes, told):
    with pytest.raises(ValueError, match=told):
        arch_of(**changes)


def test_the_deepest_network_of_the_zoo_may_be_ten_times_as_deep():
    assert resolve(ModelSpec("cifar_resnet1202", rule="axes", depth=10.0), 10, 3)[0].depth == 6000


def test_a_base_below_its_strides_may_be_as_it_is_but_no_smaller():
    assert resolve(ModelSpec(base_resolution=8), 10, 3)[0].resolution == 8
    with pytest.raises(ValueError, match="a side of 6.96 pixels, but the least is 8"):
        resolve(ModelSpec(base_resolution=8, phi=-1.0), 10, 3)
