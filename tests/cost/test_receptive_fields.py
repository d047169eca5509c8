"""Receptive fields against published figures, and against the gradients of one value."""

import jax
import numpy as np
import pytest

import scaling
from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, MBConv, Pool, Residual
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.models.backbone import StageMaps
from scaling.models.initialize import initialize


# size, stride: Araujo et al., Distill 2019, table of section "convolutional neural networks"; the paddings
# are theirs where the networks pad alike (their ResNets pool by TensorFlow's rule: 2 pixels less)
@pytest.mark.representatives(2)
@pytest.mark.parametrize(
    ("name", "padding", "figures"),
    [
        ("alexnet_2012", "torch", (195, 32, 64)),
        ("vgg16", "torch", (212, 32, 90)),
        ("resnet50_v1", "torch", (483, 32, 241)),
        ("resnet101_v1", "torch", (1027, 32, 513)),
        ("mobilenetv1_100", "tf", (315, 32, 126)),
    ],
)
def test_published_figures(name, padding, figures):
    arch = scaling.get(name).replace(padding=padding)
    field = scaling.receptive_fields(arch)[-1]
    assert (field.size, field.stride, field.padding) == figures
    assert scaling.count(arch).receptive_field == field.size


def test_strides_are_those_of_the_architecture():
    for name in ("efficientnet_b0", "resnet18", "shufflenet_v2_x0_5", "zfnet"):
        arch = scaling.get(name)
        fields = scaling.receptive_fields(arch)
        assert [field.stride for field in fields] == [grid.stride for grid in arch.feature_grids]
        assert tuple(field.stage for field in fields) == arch.stage_names


def test_dilation_keeps_the_field_and_takes_the_stride():
    arch = scaling.get("resnet18")
    one, two = (scaling.receptive_fields(a)[-1] for a in (arch, arch.replace(output_stride=8)))
    assert (one.size, one.padding, one.center) == (two.size, two.padding, two.center)
    assert (one.stride, two.stride) == (32, 8)


def tiny(*stages, padding="torch", output_stride=None) -> Arch:
    return Arch(
        "tiny", "tests", (Stage(Conv(3), 4, stride=2),), stages, Head(), 64, padding=padding, activation="tanh",
        output_stride=output_stride,
    )  # fmt: skip


BASE = (Stage(Residual(), 4, 1, 2), Stage(MBConv(5, expand=2, se_ratio=0.0), 4))
NETS = {
    "torch": tiny(*BASE),
    "tf": tiny(*BASE, padding="tf"),
    "dilated": tiny(*BASE, Stage(Conv(3), 4, 1, 2), output_stride=2),
    "unpadded": tiny(Stage(Pool("avg", 3, pad=0), 4, stride=2), Stage(Conv(3, pad=0), 4)),
    "pool_shortcut": tiny(Stage(Residual(shortcut="pool"), 8, 1, 2)),
}


@pytest.mark.representatives(2)
@pytest.mark.parametrize("name", NETS)
def test_a_value_depends_on_its_window_alone_and_on_its_edges(name):
    arch = NETS[name]
    net, rng = StageMaps(arch), np.random.default_rng(0)
    variables = jax.tree.map(
        lambda x: x + rng.uniform(0.1, 0.3, x.shape).astype(np.float32), initialize(net, 0)
    )
    image = rng.normal(size=(1, 64, 64, 3)).astype(np.float32)
    maps, fields = jax.eval_shape(net.apply, variables, image), scaling.receptive_fields(arch)
    pull = jax.jit(lambda weights: jax.vjp(lambda x: net.apply(variables, x), image)[1](weights)[0])
    for i, field in enumerate(fields):
        at = 32 // field.stride
        weights = [np.zeros(x.shape, x.dtype) for x in maps]
        weights[i][0, at, at] = 1.0
        pixels = np.asarray(pull(type(maps)(weights)))
        for axes in ((0, 2, 3), (0, 1, 3)):
            seen = np.flatnonzero(np.abs(pixels).sum(axes))
            first = at * field.stride - field.padding
            assert (seen[0], seen[-1]) == (first, first + field.size - 1), field
