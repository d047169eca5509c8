"""Heads in two stages: a box for each proposal, an answer for each box, every parameter learns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scaling
from scaling.arch.anchors import PixelAnchors
from scaling.arch.blocks import Conv
from scaling.arch.necks import BiFpn, Context, Fpn
from scaling.arch.region_heads import REGION_HEADS, TwoStage
from scaling.arch.region_stages import BoxStage, LightHead, MaskStage, ScoreMaps, SpatialPyramid, Unique
from scaling.arch.stages import Stage
from scaling.cost.closed_form import totals
from scaling.models.boxes import iou_matrix
from scaling.models.layers import Settings
from scaling.models.region_heads import proposals
from scaling.models.region_stages import Doubling
from scaling.models.relation import Relation

SMALL = scaling.get("cifar_resnet20").replace(
    stem=(Stage(Conv(), 8),),
    stages=(Stage(Conv(), 8, stride=2), Stage(Conv(), 12, stride=2)),
    num_classes=3,
    resolution=16,
)
ANCHORS = PixelAnchors(scale=2.0, octaves=1)
FEW = {"levels": 3, "maps": 2, "width": 8}
SIZES = {"candidates": 20, "proposals": 7}
HEADS = {
    "faster": TwoStage(Fpn(**FEW, extra="pool"), ANCHORS, box=BoxStage(3, hidden=(8, 8)), **SIZES),
    "normed": TwoStage(
        Fpn(**FEW, extra="pool", norm=True), ANCHORS, 2, box=BoxStage(2, (4,), (8,), norm=True), **SIZES
    ),
    "masks": TwoStage(
        BiFpn(**FEW, cells=1), ANCHORS, box=BoxStage(2, hidden=(8,)), masks=MaskStage(2, (4,), 4, 3), **SIZES
    ),
    "relations": TwoStage(Fpn(**FEW), ANCHORS, box=BoxStage(2, hidden=(8,), relations=3), **SIZES),
    "unique": TwoStage(
        Fpn(**FEW), ANCHORS, box=BoxStage(2, hidden=(8,), relations=2, unique=Unique(5, 6, 2)), **SIZES
    ),
    "score_maps": TwoStage(Fpn(**FEW), ANCHORS, box=ScoreMaps(2), **SIZES),
    "pyramid": TwoStage(Fpn(**FEW), ANCHORS, box=SpatialPyramid((1, 2), (8,)), **SIZES),
    "large_kernel": TwoStage(Fpn(**FEW), ANCHORS, box=LightHead(2, 3, 5, 4, (8,)), **SIZES),
    "thunder": TwoStage(
        Context(width=8),
        PixelAnchors(scales=(1.0, 2.0), ratios=(1.0,)),
        separable=4,
        attention=True,
        box=LightHead(2, 3, 1, 4, (8,)),
        **SIZES,
    ),
}


def detector(name: str, side: int = 16) -> scaling.Arch:
    return SMALL.replace(head=HEADS[name], resolution=side)


@pytest.mark.representatives("faster")
@pytest.mark.parametrize("name", HEADS)
def test_there_is_an_answer_for_every_anchor_and_every_box(name):
    arch = detector(name)
    net = scaling.build(arch, operators="lax")
    image = jax.ShapeDtypeStruct((2, 21, 30, 3), jnp.float32)
    variables = jax.eval_shape(lambda x: net.init(jax.random.key(0), x), image)
    anchors, masks = len(arch.head.anchors(arch, 21, 30)), arch.head.masks
    for given in (None, 2):
        told = {} if given is None else {"regions": jax.ShapeDtypeStruct((2, given, 4), jnp.float32)}
        found = jax.eval_shape(lambda v, x, told: net.apply(v, x, **told), variables, image, told)
        boxes, drawn = (7, 3) if given is None else (given, given)
        offsets = 4 if isinstance(arch.head.box, ScoreMaps | LightHead) else 12
        shapes = {
            "objectness": (2, anchors, 1),
            "pred_bbox_deltas": (2, anchors, 4),
            "proposals": (2, boxes, 4),
            "class_logits": (2, boxes, 3),
            "box_regression": (2, boxes, offsets),
        } | ({"mask_logits": (2, drawn, 4, 4, 3)} if masks else {})
        if getattr(arch.head.box, "unique", None):
            shapes["unique_logits"] = (2, boxes, 2)
        assert {key: x.shape for key, x in found.items()} == shapes
        assert {x.dtype for x in found.values()} == {jnp.dtype("float32")}


@pytest.mark.nightly
@pytest.mark.parametrize("name", HEADS)
def test_every_parameter_learns(name):
    net = scaling.build(detector(name))
    variables = scaling.initialize(net, seed=0)
    images = jax.random.normal(jax.random.key(1), (2, 16, 16, 3))

    def loss(params):
        given = {**variables, "params": params}
        found, _ = net.apply(given, images, train=True, mutable=["batch_stats"])
        answers = [x for key, x in found.items() if key != "proposals"]
        return sum(jnp.sum(jnp.sin(3 * x + jnp.arange(x.shape[-1]))) for x in answers)

    grads = jax.jit(jax.grad(loss))(variables["params"])
    still = [
        jax.tree_util.keystr(path)
        for path, leaf in jax.tree_util.tree_leaves_with_path(grads)
        if not np.any(leaf) or not np.isfinite(leaf).all()
    ]
    assert not still


@pytest.mark.representatives("masks")
@pytest.mark.parametrize("name", HEADS)
def test_the_closed_form_counts_what_the_walk_counts(name):
    sums, walked = totals(detector(name, 22)), scaling.count(detector(name, 22))
    for figure in ("params", "batch_stats", "macs", "activations"):
        assert getattr(sums, figure) == getattr(walked, figure), figure


def test_proposals_are_the_best_boxes_and_leave_each_other_room():
    arch = detector("faster", 64)
    arch = arch.replace(head=TwoStage(Fpn(**FEW, extra="pool"), ANCHORS, candidates=30, proposals=12))
    anchors = arch.head.anchors(arch, 64, 64)
    scores = np.random.default_rng(0).normal(size=(1, len(anchors), 1)).astype(np.float32)
    found = {"objectness": scores, "pred_bbox_deltas": np.zeros((1, len(anchors), 4), np.float32)}
    (boxes,) = jax.jit(lambda found: proposals(arch, found, 64, 64))(found)
    clipped = np.clip(anchors, 0, 64)
    places = [int(np.flatnonzero((clipped == box).all(1))[0]) for box in np.asarray(boxes)]
    assert places[0] == scores.argmax() and list(scores[0, places, 0]) == sorted(scores[0, places, 0])[::-1]
    levels = np.repeat(np.arange(3), [len(anchors) * n // 21 for n in (16, 4, 1)])[places]
    same = levels[:, None] == levels[None]
    assert np.max(np.asarray(iou_matrix(boxes, boxes)) * same - np.eye(12)) <= arch.head.overlap


def test_a_network_without_boxes_proposes_boxes_of_no_area():
    arch = detector("faster")
    count = len(arch.head.anchors(arch, 16, 16))
    shrunk = np.tile(np.float32([0, 0, -50, -50]), (1, count, 1))
    found = {"objectness": np.zeros((1, count, 1), np.float32), "pred_bbox_deltas": shrunk}
    np.testing.assert_array_equal(jax.jit(lambda found: proposals(arch, found, 16, 16))(found), 0)


@pytest.mark.nightly
def test_boxes_attend_to_each_other_in_any_order_and_not_to_boxes_that_are_none():
    rng = np.random.default_rng(0)
    start = rng.uniform(0, 50, (1, 6, 2))
    boxes = np.concatenate([start, start + rng.uniform(5, 30, (1, 6, 2))], -1).astype(np.float32)
    boxes[:, 5] = 0
    x, order = rng.normal(size=(1, 6, 8)).astype(np.float32), np.array([3, 0, 5, 1, 4, 2])
    net = Relation(2, Settings())
    variables, apply = net.init(jax.random.key(0), x, boxes), jax.jit(net.apply)
    found = np.asarray(apply(variables, x, boxes))
    turned = apply(variables, x[:, order], boxes[:, order])
    np.testing.assert_allclose(turned, found[:, order], atol=1e-4)
    other = x.copy()
    other[:, 5] += 1
    np.testing.assert_allclose(apply(variables, other, boxes)[:, :5], found[:, :5], atol=1e-5)
    other[:, 0] += 1
    assert np.abs(np.asarray(apply(variables, other, boxes)) - found)[0, 1:5].max() > 1e-3


def test_a_transposed_convolution_spreads_every_pixel_over_four():
    net = Doubling(3, Settings())
    x = np.random.default_rng(0).normal(size=(1, 2, 3, 5)).astype(np.float32)
    kernel = np.random.default_rng(1).normal(size=(2, 2, 3, 5)).astype(np.float32)
    found = jax.jit(net.apply)({"params": {"kernel": kernel, "bias": np.zeros(3, np.float32)}}, x)
    for i in range(2):
        for j in range(2):
            np.testing.assert_allclose(found[:, i::2, j::2], x @ kernel[i, j].T, atol=1e-5)


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_written_down_and_scales_with_its_network(name):
    arch = detector(name)
    assert scaling.Arch.from_json(arch.to_json()) == arch
    assert scaling.compound(arch, phi=0) == arch
    wide, deep = scaling.scale(arch, width=2.0).head, scaling.scale(arch, depth=2.0).head
    widths = lambda head: getattr(head.box, "hidden", ())
    assert wide.neck.width == 16 and widths(wide) == tuple(2 * width for width in widths(HEADS[name]))
    assert deep.repeats == 2 * HEADS[name].repeats
    assert totals(arch.replace(head=wide)).params > totals(arch).params


@pytest.mark.nightly
@pytest.mark.parametrize("name", REGION_HEADS)
@pytest.mark.parametrize("backbone", ["mobilenetv2_050", "regnetx_002", "lenet5"])
def test_any_backbone_takes_any_head(backbone, name):
    base = scaling.get(backbone)
    arch = base.replace(head=REGION_HEADS[name], num_classes=4, auxiliary=())
    net = scaling.build(arch, operators="lax")
    image = jax.ShapeDtypeStruct((1, 64, 64, arch.in_channels), jnp.float32)
    found, _ = jax.eval_shape(lambda x: net.init_with_output(jax.random.key(0), x), image)
    assert found["class_logits"].shape[::2] == (1, 4)


@pytest.mark.parametrize(
    "head, told",
    [
        (TwoStage(proposals=0), "proposals of at least 1"),
        (TwoStage(overlap=0.0), r"overlap in \(0, 1\]"),
        (TwoStage(box=BoxStage(hidden=())), "all must be at least 1"),
        (TwoStage(masks=MaskStage(grid=0)), "all must be at least 1"),
        (TwoStage(box=MaskStage()), "that tells boxes"),
        (TwoStage(Context(levels=2)), "makes 1 level of 2 maps"),
        (TwoStage(separable=0), "separable=0"),
        (TwoStage(box=BoxStage(relations=-1)), "relations=-1"),
        (TwoStage(repeats=0), "repeats=0"),
        (TwoStage(box=BoxStage(unique=Unique(boxes=0))), "all must be at least 1"),
        (TwoStage(box=Unique()), "that tells boxes"),
    ],
)
def test_a_head_that_cannot_be_is_refused(head, told):
    with pytest.raises(ValueError, match=told):
        SMALL.replace(head=head)
