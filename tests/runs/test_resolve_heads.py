"""A config's head replaces a network's, scales with its base, and is refused where it cannot stand."""

import dataclasses

import pytest

from scaling.arch.map_heads import UNet
from scaling.runs.resolve import resolve
from scaling.runs.spec import ModelSpec

UNET = ModelSpec(name="cifar_resnet20", head="unet", base_resolution=32)


def arch_of(**changes):
    return resolve(dataclasses.replace(UNET, **changes), 5, 3)[0]


def test_a_head_scales_with_its_base_and_by_the_rule():
    assert arch_of().head == UNet()
    assert arch_of(base_width=0.5).head == UNet((128, 64, 32, 16))
    assert arch_of(rule="axes", width=2.0).head == UNet((512, 256, 128, 64))


def test_a_head_fits_the_strides_that_the_config_sets():
    model = {"name": "cifar_resnet20", "head": "fcn8", "strides": (2, 2, 2, 2)}
    with pytest.raises(ValueError, match="skips stride 16"):
        arch_of(**model)
    assert arch_of(head="fcn", output_stride=2).map_strides == (1, 2)


@pytest.mark.parametrize(
    "changes, told", [({"head": "unett"}, "did you mean 'unet'"), ({"head": "fcn8"}, "skips")]
)
def test_a_head_that_cannot_stand_is_refused(changes, told):
    with pytest.raises(ValueError, match=told):
        arch_of(**changes)
