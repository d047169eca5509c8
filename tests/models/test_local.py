"""Windows that share nothing, and parts of images: what they see, what they cost, the papers' networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scaling
from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, Local, Parts
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.models.blocks import MODULES
from scaling.models.layers import Settings, convolve

SMALL = Arch("local", "tests", (Stage(Conv(), 4),), (Stage(Local(3, pad=0), 5, stride=2),), Head(), 9, 3)
HALVES = Parts(((0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 0.5, 0.5)), 4)


@pytest.mark.nightly
@pytest.mark.parametrize("pad, stride", [(0, 2), (None, 1)])
def test_the_same_weights_everywhere_are_a_convolution(pad, stride):
    settings = Settings(activation="identity")
    module = MODULES[Local](Local(3, pad), 5, stride, settings)
    x = jax.random.normal(jax.random.key(0), (2, 9, 9, 4))
    kernel_hwio = jax.random.normal(jax.random.key(1), (3, 3, 4, 5))
    expected = convolve(x, kernel_hwio, stride, 1, settings, pad)
    shape = expected.shape[1:3]
    kernel = jnp.broadcast_to(kernel_hwio.reshape(-1, 5), (*shape, 36, 5))
    found = module.apply({"params": {"kernel": kernel, "bias": jnp.zeros((*shape, 5))}}, x, False)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_it_costs_what_is_counted():
    for arch in (SMALL, SMALL.replace(stages=(Stage(Local(3), 5, 2, 2),))):
        walked, sums = count(arch), totals(arch)
        for figure in ("params", "batch_stats", "macs", "activations"):
            assert getattr(sums, figure) == getattr(walked, figure), figure


def test_deepface_has_its_papers_sides_and_about_its_parameters():
    """ "More than 120 million parameters": layer by layer as it prints them they are 118.9."""
    arch, side, sides = scaling.get("deepface"), 152, []
    for stage in arch.stem + arch.stages:
        side = stage.block.side_after(stage.stride, side, arch.padding)
        sides.append(side)
    assert sides == [142, 71, 63, 55, 25, 21] and totals(arch).params == 118_923_774
    unshared = sum((k * k * 16 + 1) * 16 * out**2 for k, out in ((9, 55), (7, 25), (5, 21)))
    full = (21**2 * 16 + 1) * 4096 + 4097 * 4030
    assert (unshared + full) / totals(arch).params > 0.95  # as the paper says


@pytest.mark.nightly
def test_parts_are_cut_and_seen_by_a_branch_each():
    module = MODULES[Parts](HALVES, 2, 1, Settings())
    x = jax.random.normal(jax.random.key(0), (2, 8, 8, 1))
    found = module.apply({}, x, False)
    np.testing.assert_array_equal(found, jnp.concatenate([x[:, :4, :4], x[:, 4:, 4:]], -1))
    conv = MODULES[Conv](Conv(1, 2, norm=False), 4, 1, Settings())
    kernels = conv.init(jax.random.key(1), found, False)
    changed = conv.apply(kernels, module.apply({}, x.at[:, :4, :4].add(1), False), False) != conv.apply(
        kernels, found, False
    )
    assert np.any(changed[..., :2]) and not np.any(changed[..., 2:])


def test_deepid_has_ten_branches_and_answers_160_numbers():
    arch = scaling.get("deepid")
    assert Arch.from_json(arch.to_json()) == arch and totals(arch) is None
    layers = {layer.name: layer for layer in count(arch, layers=True).layers}
    assert layers["stages_0/first/conv"].params == 10 * (4 * 4 * 3 * 20 + 20)
    assert layers["stages_6/first/conv"].output_shape == (1, 1, 800)
    assert layers["decoder/embed"].output_shape[-1] == 160
    assert scaling.scale(arch, width=0.5).widths[0] == 100
    grey = arch.replace(in_channels=1)
    assert grey.stem[0].width == 10 and grey.stages == arch.stages and grey.replace(in_channels=3) == arch


@pytest.mark.parametrize(
    "block, stride",
    [
        (Parts(((0, 0, 0, 1),), 4), 1),
        (Parts(((0.5, 0, 0.6, 1),), 4), 1),
        (HALVES, 2),
        (Parts(HALVES.boxes, 0), 1),
    ],
)
def test_parts_outside_the_image_are_refused(block, stride):
    with pytest.raises(ValueError, match=r"stage 0 has (boxes|side)="):
        SMALL.replace(stem=(Stage(block, 3 * len(block.boxes), 1, stride),), stages=())
