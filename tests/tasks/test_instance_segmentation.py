"""Masks of things: boxes from maps and back, masks that are painted as they were cut, shares by hand."""

import contextlib
import io
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.data.augment import draws_of
from scaling.data.placement import placement
from scaling.runs.spec import AugmentSpec
from scaling.tasks.instance_masks import located, masks, of_one_class, overlaps, painted, shared, within
from scaling.tasks.instance_panels import image_score, instance_panels, matched_share
from scaling.tasks.instance_segmentation import INSTANCE_SEGMENTATION as TASK
from scaling.tasks.instance_segmentation import mask_losses
from scaling.tasks.task import Inputs

HEIGHT, WIDTH, MOST = 24, 32, 5


def blobs(seed, count=4):
    """Ellipses on a map that numbers them; of two the later one covers the earlier."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((HEIGHT, WIDTH))
    found = np.zeros((HEIGHT, WIDTH), np.uint16)
    for thing in range(count):
        (y, x), (down, across) = rng.uniform(4, 20, 2), rng.uniform(2.5, 6, 2)
        found[((rows - y) / down) ** 2 + ((columns - x) / across) ** 2 <= 1] = thing + 1
    return found


@pytest.mark.parametrize("seed", range(3))
def test_boxes_are_the_smallest_that_hold_their_things(seed):
    made = blobs(seed)
    label = np.array([0, 0, 0, 0, -1], np.int32)
    boxes, known = jax.jit(located)(made, label)
    for thing in range(MOST):
        rows, columns = np.nonzero(made == thing + 1)
        assert int(known[thing]) == (0 if len(rows) else -1)
        if len(rows):
            pixels = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            np.testing.assert_allclose(
                np.multiply(boxes[thing], [WIDTH, HEIGHT, WIDTH, HEIGHT]), pixels, rtol=1e-6
            )
        else:
            assert not np.any(boxes[thing])


@pytest.mark.parametrize("seed", range(3))
def test_a_mask_that_was_cut_is_painted_where_it_was(seed):
    """A grid as fine as the map loses nothing; a coarse one little."""
    made = blobs(seed)
    boxes, known = located(made, np.array([0, 0, 0, 0, -1], np.int32))
    for side, least in ((64, 1.0), (14, 0.7)):
        cut = within(made, boxes, jnp.arange(MOST), side)
        again = painted(masks(cut.astype(jnp.float32), boxes, HEIGHT, WIDTH), known >= 0)
        assert matched_share(np.asarray(overlaps(again, made, MOST, MOST)), least) == 1.0


def test_the_first_of_two_masks_has_a_pixel_and_those_that_do_not_count_have_none():
    boxes = jnp.array([[0.0, 0.0, 0.5, 1.0], [0.25, 0.0, 1.0, 1.0]])
    full = jnp.ones((2, 4, 4))
    assert (
        painted(masks(full, boxes, 2, 8), jnp.array([True, True])).tolist() == [[1, 1, 1, 1, 2, 2, 2, 2]] * 2
    )
    assert (
        painted(masks(full, boxes, 2, 8), jnp.array([False, True])).tolist() == [[0, 0, 2, 2, 2, 2, 2, 2]] * 2
    )


def share_by_loops(predicted, truth, threshold):
    """TP / (TP + FP + FN) as its definition says it, pair by pair."""
    found, there = (sorted(set(one.ravel()) - {0}) for one in (predicted, truth))
    right = 0
    for one in found:
        ious = [
            np.sum((predicted == one) & (truth == other)) / np.sum((predicted == one) | (truth == other))
            for other in there
        ]
        right += max(ious, default=0) >= threshold
    total = len(found) + len(there) - right
    return right / total if total else 1.0


@pytest.mark.parametrize("seed", range(6))
def test_the_share_of_right_things_is_that_of_loops_over_pairs(seed):
    truth = blobs(seed)
    predicted = np.roll(truth, seed % 3, 1)
    predicted[predicted == 2] = 0  # one is missed
    predicted[:2, :2] = 4
    pairs = np.asarray(overlaps(predicted, truth, MOST, MOST))
    assert pairs.sum() == truth.size
    for threshold in (0.6, 0.75):
        assert matched_share(pairs, threshold) == pytest.approx(share_by_loops(predicted, truth, threshold))
    assert image_score({"predicted": predicted, "truth": truth}) == matched_share(pairs)


def test_nothing_is_right_where_nothing_is_there():
    nothing = np.zeros((HEIGHT, WIDTH), int)
    assert image_score({"predicted": nothing, "truth": nothing}) == 1.0
    assert image_score({"predicted": blobs(0), "truth": nothing}) == 0.0


def test_things_move_with_their_image_and_those_outside_are_none():
    augment = AugmentSpec(crop="resized", area=(0.2, 0.4), flip=True)
    side = 32
    made = Inputs(augment, side, 1, (0.0,), (1 / 255,))
    image = np.repeat(np.repeat(blobs(1)[:side:3, :side:3], 2, 0), 2, 1)[:16, :16]
    fields = {
        "image": (image * 50).astype(np.uint8)[None, :, :, None].repeat(8, 0),
        "instances": image[None].repeat(8, 0),
        "label": np.zeros((8, MOST), np.int32),
    }
    keys = jax.random.split(jax.random.key(3), 8)
    moved = jax.jit(TASK.train_inputs(made))(fields, keys)
    for i in range(8):
        shown = set(np.unique(moved["instances"][i])) - {0}
        assert {int(thing) + 1 for thing in np.flatnonzero(moved["label"][i] >= 0)} == shown
        start, size, flipped = placement(draws_of(augment, keys)[i], augment, side)
        row, column = 9, 21
        across = (column + 0.5) / side
        y = start[0] + (row + 0.5) / side * size[0]
        x = start[1] + (1 - across if flipped else across) * size[1]
        assert int(moved["instances"][i, row, column]) == image[int(y * 16), int(x * 16)]


def test_augmentation_that_cannot_move_masks_is_refused():
    with pytest.raises(ValueError, match="without their masks: leave them off"):
        TASK.train_inputs(Inputs(AugmentSpec(mixup=0.2), 8, 1, (0.0,), (1.0,)))
    with pytest.raises(ValueError, match="eval_crop"):
        TASK.eval_inputs(Inputs(AugmentSpec(eval_crop=0.9), 8, 1, (0.0,), (1.0,)))


def test_panels_show_things_in_colours_of_their_own():
    truth = blobs(0)
    seen = {"truth": truth, "predicted": np.zeros_like(truth)}
    panels = instance_panels(np.full((12, 16, 1), 90, np.uint8), seen, ("thing",))
    assert list(panels) == ["image", "truth", "predicted"]
    np.testing.assert_array_equal(panels["predicted"], panels["image"])
    differs = np.any(panels["truth"] != panels["image"], -1)
    np.testing.assert_array_equal(differs, truth > 0)
    assert len(np.unique(panels["truth"][truth > 0], axis=0)) == len(set(truth.ravel()) - {0})


def test_a_better_mask_costs_less():
    """The loss of drawn boxes falls as their masks come to be the truth, whatever other classes say."""
    made = blobs(2)
    boxes, known = located(made, np.array([0, 0, 0, 0, -1], np.int32))
    inputs = {
        "image": SimpleNamespace(shape=(1, HEIGHT, WIDTH, 1)),
        "boxes": boxes[None],
        "label": known[None],
        "instances": made[None],
    }
    drawn = boxes * jnp.array([WIDTH, HEIGHT, WIDTH, HEIGHT], jnp.float32)
    cut = jnp.where(within(made, boxes, jnp.arange(MOST), 8), 1.0, -1.0)
    told = lambda factor: {
        "mask_logits": jnp.stack([-99 * cut, factor * cut], -1)[None],
        "drawn": drawn[None],
    }
    found = [float(mask_losses(told(factor), inputs)[0]) for factor in (0.0, 1.0, 8.0)]
    assert found[0] == pytest.approx(np.log(2), rel=1e-5)
    assert found[1] == pytest.approx(np.log1p(np.exp(-1.0)), rel=1e-4) and found[2] < 1e-3


@pytest.mark.parametrize("seed", range(3))
def test_things_of_different_classes_share_nothing_and_keep_their_areas(seed):
    one, other = blobs(seed), blobs(seed + 10)
    pairs = np.asarray(overlaps(one, other, MOST, MOST))
    kinds, labels = np.arange(MOST) % 2, np.arange(MOST) % 3 % 2
    ours = np.asarray(of_one_class(pairs, kinds, labels))
    for i in range(MOST):
        assert ours[i + 1].sum() == (one == i + 1).sum() and ours[:, i + 1].sum() == (other == i + 1).sum()
        for j in range(MOST):
            same = ((one == i + 1) & (other == j + 1)).sum() if kinds[i] == labels[j] else 0
            assert ours[i + 1, j + 1] == same


@pytest.mark.parametrize("seed", range(2))
def test_masks_that_overlap_count_the_pixels_of_each_by_itself(seed):
    drawn, truth = np.random.default_rng(seed).random((3, HEIGHT, WIDTH)) < 0.4, blobs(seed)
    ours = np.asarray(shared(jnp.asarray(drawn), truth, MOST))
    for i in range(3):
        assert ours[i].tolist() == [(drawn[i] & (truth == thing)).sum() for thing in range(MOST + 1)]


def test_average_precision_of_masks_is_pycocotools():
    """Of random masks, which overlap, and true ones of two classes, some without a pixel."""
    tools = pytest.importorskip("pycocotools.coco", reason="needs the extra 'tasks'")
    from pycocotools import mask as encoder
    from pycocotools.cocoeval import COCOeval

    rng = np.random.default_rng(0)
    runs = lambda mask: encoder.encode(np.asfortranarray(mask.astype(np.uint8)))
    notes, results, images = [], [], []
    for number in range(6):
        truth, label = blobs(number), rng.integers(0, 2, MOST)
        label = np.where(np.isin(np.arange(MOST) + 1, truth), label, -1)
        near = [(truth == i % 4 + 1) ^ (rng.random(truth.shape) < 0.08 * (i // 4)) for i in range(8)]
        drawn, score = np.stack(near), np.round(rng.uniform(0.1, 1, 8), 2)
        kinds = np.where(rng.random(8) < 0.8, label[np.arange(8) % 4], rng.integers(0, 2, 8))
        kinds, score = np.where(kinds < 0, 0, kinds), np.where(drawn.any((1, 2)), score, 0)
        pairs = np.asarray(shared(jnp.asarray(drawn), truth, MOST))
        map_of = np.asarray(painted(jnp.asarray(drawn), jnp.asarray(score > 0)))
        images.append({
            "predicted": np.zeros((8, 4)), "score": score, "class": kinds, "boxes": np.zeros((MOST, 4)),
            "label": label, "overlaps": np.asarray(overlaps(map_of, truth, 8, MOST)), "shared": pairs,
        })  # fmt: skip
        common = {"image_id": number, "iscrowd": 0}
        for thing in np.flatnonzero(label >= 0):
            mask = truth == thing + 1
            notes.append({
                **common, "category_id": int(label[thing]), "segmentation": runs(mask), "area": int(mask.sum()),
            })  # fmt: skip
        for mask, value, kind in zip(drawn, score, kinds):
            if value:
                results.append({
                    "image_id": number, "category_id": int(kind), "segmentation": runs(mask), "score": float(value),
                })  # fmt: skip
    totals = {name: np.stack([image[name] for image in images]) for name in images[0]}
    totals |= {"loss": np.float32(0), "count": 6}
    with contextlib.redirect_stdout(io.StringIO()):
        told = tools.COCO()
        told.dataset = {
            "images": [{"id": i, "height": HEIGHT, "width": WIDTH} for i in range(6)],
            "annotations": [{"id": i + 1, **note} for i, note in enumerate(notes)],
            "categories": [{"id": k} for k in range(2)],
        }
        told.createIndex()
        scored = COCOeval(told, told.loadRes(results), "segm")
        for stage in (scored.evaluate, scored.accumulate, scored.summarize):
            stage()
    found = TASK.means(totals)
    ours = [found[name] for name in ("segm_ap", "segm_ap50", "segm_ap75")]
    np.testing.assert_allclose(ours, scored.stats[:3], atol=1e-9)
    assert 0.05 < ours[0] < ours[1] < 1
