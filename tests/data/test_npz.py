"""Arrays in .npz: one file or one a split give the same set; wrong arrays are named."""

import numpy as np
import pytest

from scaling.data import load
from scaling.runs.spec import AugmentSpec, DataSpec


def load_arrays(path):
    return load(DataSpec(source="npz", dir=str(path)), AugmentSpec(), 12)


def write(directory, **changes):
    arrays = {
        "train_image": np.zeros((20, 6, 6), np.uint8),
        "train_label": np.arange(20) % 2,
        "test_image": np.zeros((4, 6, 6), np.uint8),
        "test_label": np.arange(4) % 2,
    }
    arrays = {key: value for key, value in (arrays | changes).items() if value is not None}
    np.savez(directory / "set.npz", **arrays)
    return directory / "set.npz"


def test_a_directory_of_files_equals_one_file(npz, tmp_path):
    with np.load(npz) as arrays:
        for split in ("train", "test"):
            np.savez(
                tmp_path / f"{split}.npz", image=arrays[f"{split}_image"], label=arrays[f"{split}_label"]
            )
    one, many = load_arrays(npz), load_arrays(tmp_path)
    np.testing.assert_array_equal(one.train.images, many.train.images)
    np.testing.assert_array_equal(one.test().images, many.test().images)


def test_grey_images_get_a_channel(tmp_path):
    found = load_arrays(write(tmp_path))
    assert found.in_channels == 1 and found.train.images.shape[1:] == (6, 6, 1)
    assert found.std == (1.0,), "a constant channel is not divided by zero"


def test_label_names_set_the_number_of_classes(tmp_path):
    assert load_arrays(write(tmp_path, label_names=np.array(["a", "b", "c"]))).num_classes == 3


WRONG = {
    "float images": ({"train_image": np.zeros((20, 6, 6))}, "float64.*uint8"),
    "not square": ({"train_image": np.zeros((20, 6, 5), np.uint8)}, r"\(20, 6, 5\)"),
    "too few labels": ({"train_label": np.zeros(3, int)}, "one for each of the 20"),
    "float labels": ({"train_label": np.zeros(20)}, "float64"),
    "negative label": ({"train_label": np.arange(20) - 1}, "-1"),
    "no labels": ({"train_label": None}, "lacks.*train_label"),
    "no test labels": ({"test_label": None}, "lacks.*test_label"),
    "no images": (
        {"train_image": np.zeros((0, 6, 6), np.uint8), "train_label": np.zeros(0, int)},
        "no image",
    ),
    "pickled": ({"train_label": np.array([{}] * 20, object)}, "pickle"),
    "label above the names": ({"test_label": np.full(4, 7)}, "labels from 0 to 1"),
    "other channels": ({"test_image": np.zeros((4, 6, 6, 3), np.uint8)}, "3 channels"),
    "other side": ({"test_image": np.zeros((4, 8, 8), np.uint8)}, "data.store"),
}


@pytest.mark.parametrize("changes, words", WRONG.values(), ids=WRONG.keys())
def test_wrong_arrays_are_named(tmp_path, changes, words):
    with pytest.raises(ValueError, match=words):
        load_arrays(write(tmp_path, **changes)).test()


def test_store_brings_splits_of_two_sides_together(tmp_path):
    path = write(tmp_path, test_image=np.full((4, 8, 8), 9, np.uint8))
    found = load(DataSpec(source="npz", dir=str(path), store=6), AugmentSpec(), 6)
    assert found.test().images.shape == (4, 6, 6, 1) and (found.test().images == 9).all()


def test_a_path_without_arrays_is_refused(tmp_path):
    with pytest.raises(ValueError, match="train_image"):
        load_arrays(tmp_path)
