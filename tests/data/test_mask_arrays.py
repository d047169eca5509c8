"""Masks in .npz files: values mean what they mean in files of their own, and wrong arrays are named."""

import numpy as np
import pytest

from scaling.data.dataset import load
from scaling.data.masks import VOID
from scaling.runs.spec import AugmentSpec, DataSpec

RNG = np.random.default_rng(0)
MASKS = RNG.integers(0, 3, (6, 10, 10))
IMAGES = RNG.integers(0, 256, (6, 5, 5, 3), np.uint8)


def opened(directory, data=None, **changes):
    """A set with some of its arrays changed (None: left out), as `data` says to read it."""
    arrays = {"train_image": IMAGES, "train_mask": MASKS, "test_image": IMAGES[:2], "test_mask": MASKS[:2]}
    path = directory / "set.npz"
    np.savez(path, **{key: value for key, value in (arrays | changes).items() if value is not None})
    spec = DataSpec("npz", dir=str(path), validation_fraction=0.5, **(data or {}))
    return load(spec, AugmentSpec(), 8, ("mask",))


def test_masks_keep_their_size_and_need_no_label(tmp_path):
    data = opened(tmp_path)
    assert data.class_names == ("0", "1", "2") and data.train.images.shape[1:] == (5, 5, 3)
    np.testing.assert_array_equal(data.test().extra["mask"], MASKS[:2])
    named = opened(tmp_path, label_names=np.array(["sky", "road", "car", "bus"]))
    assert named.class_names == ("sky", "road", "car", "bus")


def test_void_and_binary_mean_what_they_mean_in_a_folder(tmp_path):
    void = opened(tmp_path, {"void": 2})
    assert void.num_classes == 2
    np.testing.assert_array_equal(void.test().extra["mask"] == VOID, MASKS[:2] == 2)
    np.testing.assert_array_equal(opened(tmp_path, {"binary": True}).test().extra["mask"], MASKS[:2] > 0)


def test_a_mask_of_void_alone_is_named_and_left_out(tmp_path):
    masks = MASKS.copy()
    masks[4] = 9
    data = opened(tmp_path, {"void": 9}, train_mask=masks)
    assert sum(data.examples.values()) == 5
    assert [problem for problem in data.problems if "train_mask[4]: its mask is void everywhere" in problem]


WRONG = {
    "other size": (
        {"train_mask": MASKS[:, :, :8]},
        r"masks are int64\[6, 10, 8\], must be integers \[N, T, T\]",
    ),
    "too few": ({"train_mask": MASKS[:3]}, "one for each of the 6 images"),
    "fractions": ({"train_mask": MASKS / 2}, "float64"),
    "negative": ({"train_mask": MASKS - 1}, "value -1 or 1"),
    "no mask": ({"train_mask": None}, "lacks the key 'train_mask'"),
    "class outside": ({"test_mask": MASKS[:2] + 5}, "class 7, but there are 3 classes.*label_names"),
    "channels": ({"test_image": IMAGES[:2, :, :, 0]}, "1 channels, the training split 3"),
    "void": ({"test_mask": MASKS[:2] * 0 + VOID}, "more than half: .*void everywhere"),
}


@pytest.mark.parametrize("changes, told", WRONG.values(), ids=WRONG)
def test_wrong_arrays_are_named(tmp_path, changes, told):
    with pytest.raises(ValueError, match=told):
        opened(tmp_path, **changes).test()
