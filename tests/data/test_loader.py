"""Order, resume, process slices and evaluation: what every feed of every split keeps."""

import itertools

import numpy as np
import pytest

from scaling.data import ArraySplit, load
from scaling.data.loader import eval_batches, feed, is_resident
from scaling.data.splits import carve
from scaling.runs.spec import AugmentSpec, DataSpec

COUNT = 37


@pytest.fixture
def split() -> ArraySplit:
    """Image i is filled with i and has the label i."""
    values = np.arange(COUNT)
    return ArraySplit(
        np.tile(values[:, None, None, None], (1, 2, 2, 1)).astype(np.uint8), values.astype(np.int32)
    )


@pytest.fixture
def streamed(folder):
    return load(
        DataSpec(source="folder", dir=str(folder), test="val", resident=False), AugmentSpec(), 20
    ).train


def take(source, start, count):
    batches = source.batches(start)
    try:
        return list(itertools.islice(batches, count))
    finally:
        batches.close()


def assert_equal_batches(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
            assert one[name].dtype == other[name].dtype


def test_an_epoch_visits_each_example_at_most_once_and_drops_only_the_tail(split):
    source = feed(split, 8, 0, None, 0)
    assert source.steps_per_epoch == COUNT // 8
    for epoch in range(3):
        seen = np.concatenate([b["index"] for b in take(source, epoch * 4, 4)])
        assert len(set(seen)) == len(seen) == 32


def test_the_order_is_a_function_of_seed_and_epoch(split):
    first, again, other_seed = (take(feed(split, 8, seed, None, 0), 0, 8) for seed in (3, 3, 4))
    assert_equal_batches(first, again)
    order = lambda batches: np.concatenate([b["index"] for b in batches]).tolist()
    assert order(first) != order(other_seed)
    assert order(first[:4]) != order(first[4:]), "epochs differ"


@pytest.mark.parametrize("resident", [True, False])
def test_a_resumed_feed_is_the_tail_of_the_uninterrupted_one(split, resident):
    source = feed(split, 8, 0, resident, 0)
    assert_equal_batches(take(source, 0, 12)[5:], take(source, 5, 7))


@pytest.mark.representatives(1)
@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.nightly), 2])
def test_streamed_photos_come_in_the_same_order_from_threads_and_processes(streamed, workers):
    expected = take(feed(streamed, 8, 0, None, 0), 0, 9)
    assert_equal_batches(take(feed(streamed, 8, 0, None, workers), 2, 7), expected[2:])


def test_resident_and_streamed_feeds_give_the_same_images(folder, streamed):
    memory = load(DataSpec(source="folder", dir=str(folder), test="val"), AugmentSpec(), 20).train
    resident, stream = feed(memory, 8, 0, True, 0), feed(streamed, 8, 0, None, 0)
    assert stream.resident == {}
    assert is_resident(memory, True) and is_resident(memory, None) and not is_resident(streamed, None)
    for indices, images in zip(take(resident, 0, 5), take(stream, 0, 5)):
        np.testing.assert_array_equal(resident.resident["image"][indices["index"]], images["image"])
        np.testing.assert_array_equal(resident.resident["label"][indices["index"]], images["label"])
        np.testing.assert_array_equal(indices["position"], images["position"])


@pytest.mark.parametrize("resident", [True, False])
def test_process_slices_joined_equal_the_single_process_batch(split, resident):
    whole = take(feed(split, 8, 0, resident, 0), 0, 6)
    parts = [take(feed(split, 8, 0, resident, 0, index, 4), 0, 6) for index in range(4)]
    joined = [{name: np.concatenate([p[s][name] for p in parts]) for name in whole[s]} for s in range(6)]
    assert_equal_batches(joined, whole)
    np.testing.assert_array_equal(whole[0]["position"], np.arange(8))


@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize("batch", [4, 8, 36, 40, 64])
def test_evaluation_sees_every_example_exactly_once(split, batch, processes):
    parts = [list(eval_batches(split, batch, index, processes)) for index in range(processes)]
    assert len({len(part) for part in parts}) == 1, "all processes take part in every batch"
    joined = [
        {k: np.concatenate([p[s][k] for p in parts]) for k in parts[0][0]} for s in range(len(parts[0]))
    ]
    assert all(len(b["label"]) == len(b["real"]) == len(b["image"]) == batch for b in joined)
    seen = np.concatenate([b["label"][b["real"] == 1] for b in joined])
    np.testing.assert_array_equal(seen, split.labels)
    images = np.concatenate([b["image"][b["real"] == 1] for b in joined])
    np.testing.assert_array_equal(images, split.images)


def test_evaluation_streams_photos(streamed):
    batches = list(eval_batches(streamed, 10))
    images = np.concatenate([b["image"] for b in batches])[: len(streamed)]
    np.testing.assert_array_equal(images, np.stack([streamed[i] for i in range(len(streamed))]))


@pytest.mark.parametrize(
    "batch, processes, words", [(38, 1, "larger than.*37"), (8, 3, "multiple of the 3"), (0, 1, "0")]
)
def test_a_batch_that_cannot_be_is_refused(split, batch, processes, words):
    with pytest.raises(ValueError, match=words):
        feed(split, batch, 0, None, 0, 0, processes)


def test_a_cut_keeps_an_example_of_each_class_on_both_sides():
    labels = np.array([0] * 50 + [1] * 2 + [2] * 7 + [3])
    train, validation = carve(labels, 0.1, seed=0)
    assert sorted([*train, *validation]) == list(range(len(labels)))
    assert np.bincount(labels[validation], minlength=4).tolist() == [5, 1, 1, 0]


def labelled(counts) -> ArraySplit:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int32)
    return ArraySplit(np.zeros((len(labels), 2, 2, 1), np.uint8), labels)


def test_a_batch_has_as_many_examples_of_each_of_its_classes():
    split = labelled([9, 8, 3, 7, 12, 2, 5])
    source = feed(split, 6, 0, None, 0, per_class=3)
    for batch in take(source, 0, 3 * source.steps_per_epoch):
        assert len(set(batch["index"])) == 6 and batch["position"].tolist() == list(range(6))
        counts = np.unique(split.labels[batch["index"]], return_counts=True)[1]
        assert counts.tolist() == [3, 3]


def test_batches_of_classes_go_through_all_and_follow_from_seed_and_step():
    split = labelled([8] * 6)
    source, other = (feed(split, 12, seed, None, 0, per_class=4) for seed in (0, 1))
    batches = take(source, 0, 12)
    assert_equal_batches(take(source, 5, 7), batches[5:])
    rows = lambda some: [tuple(batch["index"]) for batch in some]
    assert rows(batches) != rows(take(other, 0, 12)) and len(set(rows(batches))) == 12
    epoch = np.concatenate([batch["index"] for batch in batches[: source.steps_per_epoch]])
    assert sorted(epoch) == list(range(48))


def test_processes_share_a_batch_of_classes():
    split = labelled([8] * 6)
    whole = feed(split, 12, 0, None, 0, per_class=4).order.step(3)["index"]
    parts = [feed(split, 12, 0, None, 0, place, 2, 4).order.step(3)["index"] for place in (0, 1)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("batch, per_class", [(10, 4), (12, 5), (16, 4)])
def test_batches_that_no_classes_fill_are_refused(batch, per_class):
    with pytest.raises(ValueError, match=r"train\.per_class.*set train\.batch to a multiple"):
        feed(labelled([4, 4, 4, 3, 3]), batch, 0, None, 0, per_class=per_class)
