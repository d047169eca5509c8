"""Heads that score anchors: an answer for every anchor, every parameter learns, objects are rare at first."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scaling
from scaling.arch.anchors import DefaultBoxes, OctaveAnchors, PixelAnchors
from scaling.arch.blocks import Conv
from scaling.arch.box_heads import BOX_HEADS, EfficientDet, RetinaNet, Ssd
from scaling.arch.necks import FUSIONS, BiFpn, Extras, Fpn, Neck
from scaling.arch.stages import Stage
from scaling.cost.closed_form import totals
from scaling.models.box_heads import flattened
from scaling.models.resampling import nearest

SMALL = scaling.get("cifar_resnet20").replace(
    stem=(Stage(Conv(), 8),),
    stages=(Stage(Conv(), 8, stride=2), Stage(Conv(), 12, stride=2)),
    num_classes=3,
    resolution=16,
)
FEW = {"levels": 4, "maps": 2}
HEADS = {
    "retinanet": RetinaNet(Fpn(**FEW, width=8), repeats=1),
    "group": RetinaNet(Fpn(**FEW, width=8, extra="p5"), PixelAnchors(octaves=1), repeats=1, norm=True),
    "pool": RetinaNet(Fpn(**FEW, width=8, extra="pool"), PixelAnchors(octaves=1), repeats=1),
    "over_bifpn": RetinaNet(BiFpn(**FEW, width=8, cells=1), repeats=1),
    "ssd": Ssd(Extras(**FEW, widths=(8, 6))),
    "ssdlite": Ssd(Extras(**FEW, widths=(8,), rescale=None, separable=True, act="relu6"), separable=True),
    **{
        f"efficientdet_{fusion}": EfficientDet(BiFpn(**FEW, width=8, cells=2, fusion=fusion), repeats=1)
        for fusion in FUSIONS
    },
}


def detector(name: str, side: int = 16) -> scaling.Arch:
    return SMALL.replace(head=HEADS[name], resolution=side)


@pytest.mark.representatives("retinanet-21", "pool-21", "ssd-21", "efficientdet_fast-21")
@pytest.mark.parametrize("side", [16, 21])
@pytest.mark.parametrize("name", HEADS)
def test_there_is_an_answer_for_every_anchor(name, side):
    arch = detector(name)
    net = scaling.build(arch, operators="lax")
    image = jax.ShapeDtypeStruct((2, side, side + 6, 3), jnp.float32)
    found, _ = jax.eval_shape(lambda x: net.init_with_output(jax.random.key(0), x), image)
    scores, boxes = jax.eval_shape(lambda outputs: flattened(arch.head, outputs), found)
    anchors = arch.head.anchors(arch, side, side + 6)
    assert scores.shape == (2, len(anchors), 3) and boxes.shape == (2, *anchors.shape)
    assert {x.dtype for x in found.values()} == {jnp.dtype("float32")}


@pytest.mark.representatives("group", night=5)
@pytest.mark.parametrize("name", HEADS)
def test_every_parameter_learns(name):
    arch = detector(name)
    net = scaling.build(arch)
    variables = scaling.initialize(net, seed=0)
    images = jax.random.normal(jax.random.key(1), (2, 16, 16, 3))

    def loss(params):
        found, _ = net.apply({**variables, "params": params}, images, train=True, mutable=["batch_stats"])
        scores, boxes = flattened(arch.head, found)
        return jnp.sum(jnp.sin(3 * scores + jnp.arange(3))) + jnp.sum(jnp.sin(3 * boxes + jnp.arange(4)))

    grads = jax.jit(jax.grad(loss))(variables["params"])
    still = [
        jax.tree_util.keystr(path)
        for path, leaf in jax.tree_util.tree_leaves_with_path(grads)
        if not np.any(leaf)
    ]
    assert not still


@pytest.mark.representatives("efficientdet_softmax", "group", "pool")
@pytest.mark.parametrize("name", HEADS)
def test_the_closed_form_counts_what_the_walk_counts(name):
    sums, walked = totals(detector(name, 22)), scaling.count(detector(name, 22))
    for figure in ("params", "batch_stats", "macs", "activations"):
        assert getattr(sums, figure) == getattr(walked, figure), figure


def test_an_object_is_rare_before_any_training():
    for name, path in (
        ("retinanet", ("cls_logits", "predict")),
        ("efficientdet_fast", ("class_net", "predict", "project")),
    ):
        found = scaling.initialize(scaling.build(detector(name)), seed=0)["params"]["decoder"]
        for module in path:
            found = found[module]
        np.testing.assert_allclose(jax.nn.sigmoid(found["bias"]), 0.01, rtol=1e-5)


def test_flattened_boxes_are_x_before_y_whatever_the_head_predicts():
    head = EfficientDet(BiFpn(levels=2))
    anchors = head.num_anchors[0]
    outputs = {
        f"box_{i}": jnp.tile(jnp.array([1.0, 2.0, 3.0, 4.0]), (1, 2 - i, 2 - i, anchors)) for i in range(2)
    }
    outputs |= {f"class_{i}": jnp.zeros((1, 2 - i, 2 - i, 5 * anchors)) for i in range(2)}
    scores, boxes = flattened(head, outputs)
    assert scores.shape == (1, 5 * anchors, 5)
    np.testing.assert_array_equal(boxes, np.broadcast_to([2.0, 1.0, 4.0, 3.0], (1, 5 * anchors, 4)))


def test_a_cell_of_the_bifpn_is_that_of_its_paper():
    """Figure 2 (d): two inputs on the way down, three on the way up but for the coarsest."""
    found = BiFpn(levels=5).nodes()
    assert [level for level, _ in found] == [3, 2, 1, 0, 1, 2, 3, 4]
    assert [len(inputs) for _, inputs in found] == [2, 2, 2, 2, 3, 3, 3, 2]
    assert found[4] == (1, (1, 7, 8)) and found[-1] == (4, (4, 11))


@pytest.mark.parametrize("have, want", [(3, 6), (3, 5), (10, 19), (4, 4), (7, 3)])
def test_nearest_values_are_taken_as_pytorch_takes_them(have, want):
    x = np.arange(have, dtype=np.float32)
    found = nearest(jnp.asarray(np.broadcast_to(x[None, :, None, None], (1, have, have, 1))), (want, want))
    np.testing.assert_array_equal(found[0, :, 0, 0], np.floor(np.arange(want) * have / want))


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_written_down_and_scales_with_its_network(name):
    arch = detector(name)
    assert scaling.Arch.from_json(arch.to_json()) == arch
    assert scaling.compound(arch, phi=0) == arch
    wide, deep = scaling.scale(arch, width=2.0).head.neck, scaling.scale(arch, depth=2.0).head
    widths = lambda neck: neck.widths if isinstance(neck, Extras) else (neck.width,)
    assert widths(wide) == tuple(2 * width for width in widths(HEADS[name].neck))
    assert getattr(deep, "repeats", 2) == 2
    assert getattr(deep.neck, "cells", 0) == 2 * getattr(HEADS[name].neck, "cells", 0)


@pytest.mark.representatives("regnetx_002-ssd", "lenet5-efficientdet")
@pytest.mark.parametrize("name", BOX_HEADS)
@pytest.mark.parametrize("backbone", ["mobilenetv2_050", "regnetx_002", "lenet5"])
def test_any_backbone_takes_any_head(backbone, name):
    base = scaling.get(backbone)
    arch = base.replace(head=BOX_HEADS[name], num_classes=4, auxiliary=())
    anchors = arch.head.anchors(arch, 64, 64)
    net = scaling.build(arch, operators="lax")
    image = jax.ShapeDtypeStruct((1, 64, 64, arch.in_channels), jnp.float32)
    found, _ = jax.eval_shape(lambda x: net.init_with_output(jax.random.key(0), x), image)
    scores, _ = jax.eval_shape(lambda outputs: flattened(arch.head, outputs), found)
    assert scores.shape == (1, len(anchors), 4)


@pytest.mark.parametrize(
    "head, told",
    [
        (RetinaNet(Fpn(extra="p6")), "extra='p6'"),
        (RetinaNet(Fpn(width=0)), "width=0"),
        (RetinaNet(Fpn(levels=0)), "1 to 16 levels"),
        (EfficientDet(BiFpn(cells=10**9)), "cells=1000000000, which must be 1 to 1000"),
        (RetinaNet(repeats=0), "repeats=0"),
        (RetinaNet(Neck()), "needs a neck"),
        (RetinaNet(priors=DefaultBoxes()), "the same number"),
        (EfficientDet(BiFpn(fusion="max")), "fusion='max'"),
        (EfficientDet(BiFpn(levels=1)), "levels=1"),
        (EfficientDet(priors=OctaveAnchors(octaves=0)), "octaves=0"),
        (Ssd(Extras(widths=())), "widths=0"),
        (Ssd(priors=DefaultBoxes(scales=(0.1, 0.2))), "6 levels need 7"),
    ],
)
def test_a_head_that_cannot_be_is_refused(head, told):
    with pytest.raises(ValueError, match=told):
        SMALL.replace(head=head)
