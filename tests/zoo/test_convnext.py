"""ConvNeXts: published sizes, and what makes them unlike the networks with batch norm."""

import csv

import jax
import numpy as np
import pytest

from scaling import zoo
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.models.initialize import initialize
from scaling.models.network import Network
from scaling.rules.scale import scale


@pytest.mark.parametrize("size", ["tiny", "small", "base", "large"])
def test_sizes_equal_torchvision(size, shared):
    with open(shared / "reference" / "imagenet_models.csv") as file:
        rows = [row for row in csv.DictReader(file) if "torchvision" in row["source"]]
    (row,) = [row for row in rows if row["model"] == f"ConvNeXt_{size.title()}"]
    cost = totals(zoo.get(f"convnext_{size}"))
    assert cost.params == round(1e6 * float(row["params_m"]))
    assert cost.macs / 1e9 == pytest.approx(float(row["macs_g"]), rel=3e-3)  # ours adds biases


def test_xlarge_has_timms_parameters():
    assert round(totals(zoo.get("convnext_xlarge")).params / 1e6, 2) == 350.20


def test_there_are_no_running_statistics():
    assert totals(zoo.get("convnext_tiny")).batch_stats == 0


def test_a_branch_starts_as_nearly_nothing():
    arch = scale(zoo.get("convnext_tiny"), depth=0.34, width=0.25).replace(num_classes=3, resolution=32)
    variables = initialize(Network(arch), 0)
    scales = [
        leaf for path, leaf in jax.tree_util.tree_leaves_with_path(variables) if path[-1].key == "layer_scale"
    ]
    assert scales and all(np.all(leaf == np.float32(1e-6)) for leaf in scales)


def test_the_last_pixels_that_fill_no_patch_are_dropped():
    arch = scale(zoo.get("convnext_tiny"), depth=0.34, width=0.25)
    whole, more = (totals(arch.replace(resolution=side)) for side in (64, 67))
    assert whole.macs == more.macs
    with pytest.raises(ValueError, match="resolution=3 leaves no pixel.*at least 32"):
        count(arch.replace(resolution=3))


def test_a_small_stem_keeps_every_pixel():
    arch = zoo.get("convnext_tiny").replace(stem="small", resolution=32)
    assert arch.stem[0].width == 96 and arch.strides == (1, 1, 2, 2, 2)
