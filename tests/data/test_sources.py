"""What holds for every source: shapes, types, exact cuts, a test split that nobody reads early."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from scaling.data import ArraySplit, StreamSplit, dataset, load
from scaling.runs.spec import AugmentSpec, DataSpec

SOURCES = ("digits", "folder", "streamed", "npz", "tfds", "tfds_photos")


@pytest.fixture(params=SOURCES)
def data(request) -> DataSpec:
    if request.param == "digits":
        return DataSpec()
    if request.param in ("folder", "streamed"):
        resident = False if request.param == "streamed" else None
        folder = request.getfixturevalue("folder")
        return DataSpec(
            source="folder", dir=str(folder), test="val", validation_fraction=0.25, resident=resident
        )
    if request.param == "npz":
        return DataSpec(source="npz", dir=str(request.getfixturevalue("npz")))
    prepared = str(request.getfixturevalue("prepared"))
    if request.param == "tfds":
        return DataSpec(source="tfds", name="mnist", dir=prepared)
    return DataSpec(source="tfds", name="imagenette224", dir=prepared, test="validation")


def images_of(split) -> np.ndarray:
    return np.stack([split[i] for i in range(len(split))])


def test_every_split_has_the_same_shapes_and_types(data):
    found = load(data, AugmentSpec(), 16)
    for split in (found.train, found.validation, found.test()):
        assert isinstance(split, ArraySplit | StreamSplit)
        assert split[0].shape == (found.train.side, found.train.side, found.in_channels)
        assert split[0].dtype == np.uint8
        assert split.labels.dtype == np.int32 and split.labels.shape == (len(split),)
        assert 0 <= split.labels.min() and split.labels.max() < found.num_classes
    assert found.examples == {"train": len(found.train), "validation": len(found.validation)}
    assert len(found.mean) == len(found.std) == found.in_channels


def test_train_and_validation_are_disjoint_and_together_the_whole_training_split(data):
    found = load(data, AugmentSpec(), 16)
    everything = dataset.SOURCES[data.source](data, 16).read(data.train)
    rows = lambda split: sorted(images_of(split).reshape(len(split), -1).tolist())
    whole = rows(everything)
    assert sorted(rows(found.train) + rows(found.validation)) == whole
    assert set(found.validation.labels) == set(everything.labels), "stratified: every class is validated"


def test_the_cut_depends_on_the_split_seed_alone(data):
    first, again = (load(data, AugmentSpec(), 16).validation for _ in range(2))
    other = load(dataclasses.replace(data, split_seed=1), AugmentSpec(), 16).validation
    np.testing.assert_array_equal(images_of(first), images_of(again))
    assert images_of(first).tobytes() != images_of(other).tobytes()


def test_the_test_split_is_not_read_before_it_is_asked_for(data, monkeypatch):
    reads = []
    opened = dataset.SOURCES[data.source]

    def recording(spec, side):
        source = opened(spec, side)
        return dataclasses.replace(source, read=lambda split: reads.append(split) or source.read(split))

    monkeypatch.setitem(dataset.SOURCES, data.source, recording)
    found = load(data, AugmentSpec(), 16)
    assert data.test not in reads and reads == [data.train]
    assert len(found.test()) > 0
    assert reads[-1] == data.test


def test_mean_and_std_normalise_the_training_split(data):
    found = load(data, AugmentSpec(), 16)
    pixels = images_of(found.train) / 255.0
    normalised = (pixels - found.mean) / found.std
    np.testing.assert_allclose(normalised.mean(axis=(0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(normalised.std(axis=(0, 1, 2)), 1, atol=1e-6)


def test_a_limit_keeps_the_first_training_images_and_leaves_validation_alone(data):
    full, short = (load(dataclasses.replace(data, limit=n), AugmentSpec(), 16) for n in (None, 7))
    assert len(short.train) == 7
    np.testing.assert_array_equal(images_of(short.train), images_of(full.train)[:7])
    np.testing.assert_array_equal(images_of(short.validation), images_of(full.validation))


def test_a_part_of_a_split_is_read_in_its_order(data):
    source = dataset.SOURCES[data.source](data, 16)
    whole, part = images_of(source.read(data.train)), images_of(source.read(f"{data.train}[5:20]"))
    np.testing.assert_array_equal(part, whole[5:20])


def test_store_sets_the_side(data):
    found = load(dataclasses.replace(data, store=10), AugmentSpec(), 16)
    assert found.train.side == found.validation.side == found.test().side == 10


@pytest.mark.parametrize(
    "change, words",
    [
        ({"test": "tset"}, ["'tset'", "train"]),
        ({"test": "train"}, ["different splits"]),
        ({"validation": "nothing"}, ["'nothing'"]),
        ({"validation_fraction": 1.0}, ["validation_fraction", "1.0"]),
        ({"limit": 0}, ["limit"]),
        ({"store": 0}, ["store"]),
    ],
)
def test_a_split_that_cannot_be_is_refused_at_once(data, change, words):
    with pytest.raises(ValueError) as error:
        load(dataclasses.replace(data, **change), AugmentSpec(), 16)
    for word in words:
        assert word in str(error.value)


def test_digits_are_the_whole_set_cut_once():
    found = load(DataSpec(), AugmentSpec(), 8)
    test = found.test()
    assert len(found.train) + len(found.validation) + len(test) == 1797
    everything = np.concatenate(
        [images_of(s).reshape(len(s), -1) for s in (found.train, found.validation, test)]
    )
    from sklearn.datasets import load_digits

    ours = sorted(everything.tolist())
    assert ours == sorted(np.round(load_digits().data * 255 / 16).astype(int).tolist())
    assert len(set(np.bincount(test.labels) - np.bincount(test.labels).min())) <= 3, "classes are balanced"


@pytest.mark.nightly
def test_importing_the_room_loads_no_reader():
    heavy = ("PIL", "sklearn", "grain", "tensorflow_datasets", "tensorflow", "scipy")
    code = f"import sys, scaling.data, scaling.data.loader; print([m for m in {heavy} if m in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"
