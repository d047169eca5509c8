"""Average precision: by hand on small cases, and pycocotools' on random boxes."""

import contextlib
import io

import numpy as np
import pytest

from scaling.tasks.average_precision import Boxes, average_precision, summary


def random_images(seed, images=12, classes=3):
    """Truth, and predictions near it, some doubled, some of another class, some of nothing."""
    rng = np.random.default_rng(seed)
    truth, predicted = [], []
    for _ in range(images):
        count = rng.integers(0, 6)
        start = rng.uniform(0, 60, (count, 2))
        boxes = np.concatenate([start, start + rng.uniform(5, 40, (count, 2))], -1)
        labels = rng.integers(0, classes, count)
        spread = rng.choice([0, 0.5, 2], (2 * count, 1))
        near = np.concatenate([boxes, boxes]) + spread * rng.uniform(-1, 1, (2 * count, 4))
        stray = np.tile(rng.uniform(0, 50, (3, 2)), 2) + [0, 0, 20, 20]
        guessed = np.where(
            rng.random(2 * count) < 0.8, np.tile(labels, 2), rng.integers(0, classes, 2 * count)
        )
        own = np.concatenate([near, stray])
        scores = np.round(rng.uniform(0, 1, len(own)), 1)  # many are equal
        truth.append(Boxes(boxes, labels))
        predicted.append(Boxes(own, np.concatenate([guessed, rng.integers(0, classes, 3)]), scores))
    return predicted, truth


def cocos(predicted, truth, classes):
    """The first, second and third figure of pycocotools' summary."""
    tools = pytest.importorskip("pycocotools.coco", reason="needs the extra 'tasks'")
    from pycocotools.cocoeval import COCOeval

    def sided(box):
        return [*map(float, box[:2]), *map(float, box[2:] - box[:2])]

    notes = [
        {
            "image_id": i,
            "category_id": int(k) + 1,
            "bbox": sided(b),
            "area": float(np.prod(b[2:] - b[:2])),
            "iscrowd": 0,
        }
        for i, image in enumerate(truth)
        for b, k in zip(image.boxes, image.classes)
    ]
    found = [
        {"image_id": i, "category_id": int(k) + 1, "bbox": sided(b), "score": float(s)}
        for i, image in enumerate(predicted)
        for b, k, s in zip(*image)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        told = tools.COCO()
        told.dataset = {
            "images": [{"id": i} for i in range(len(truth))],
            "annotations": [{"id": i + 1, **note} for i, note in enumerate(notes)],
            "categories": [{"id": k + 1} for k in range(classes)],
        }
        told.createIndex()
        scored = COCOeval(told, told.loadRes(found), "bbox")
        scored.evaluate()
        scored.accumulate()
        scored.summarize()
    return scored.stats[:3]


@pytest.mark.parametrize("seed", range(3))
def test_it_is_pycocotools(seed):
    predicted, truth = random_images(seed)
    found = summary(average_precision(predicted, truth, 3))
    np.testing.assert_allclose(
        [found[n] for n in ("ap", "ap50", "ap75")], cocos(predicted, truth, 3), atol=1e-9
    )
    assert 0.1 < found["ap75"] < found["ap50"] < 1


BOX = np.array([[0.0, 0, 10, 10]])


def test_the_truth_scores_1_and_nothing_scores_0():
    truth = [Boxes(np.concatenate([BOX, BOX + 20]), np.array([0, 2]))]
    perfect = [Boxes(truth[0].boxes, truth[0].classes, np.array([0.9, 0.3]))]
    assert summary(average_precision(perfect, truth, 3)) == {"ap": 1.0, "ap50": 1.0, "ap75": 1.0}
    empty = [Boxes(np.zeros((0, 4)), np.zeros(0, int))]
    assert summary(average_precision(empty, truth, 3))["ap"] == 0
    assert summary(average_precision(perfect, empty, 3))["ap50"] == 0, "without a true box there is no score"


def test_a_second_detection_of_a_box_is_wrong_and_a_better_one_comes_first():
    truth = [Boxes(np.concatenate([BOX, BOX + 20]), np.array([0, 0]))]
    doubled = [Boxes(np.concatenate([BOX, BOX, BOX + 20]), np.zeros(3, int), np.array([0.9, 0.8, 0.7]))]
    # recalls up to a half at precision 1, the others at 2 of 3
    assert summary(average_precision(doubled, truth, 1))["ap50"] == pytest.approx((51 + 50 * 2 / 3) / 101)
