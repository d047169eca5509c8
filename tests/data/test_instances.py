"""Masks that number things: numbered without gaps, classes beside, odd files named, bad sets refused."""

import numpy as np
import pytest
from PIL import Image

from scaling.data.dataset import load
from scaling.runs.spec import AugmentSpec, DataSpec

FIELDS = ("instances", "label")


def write(root, split, maps, mode="L"):
    for name in ("images", "masks"):
        (root / split / name).mkdir(parents=True)
    for i, numbers in enumerate(maps):
        pixels = np.random.default_rng(i).integers(0, 256, (*numbers.shape, 3), np.uint8)
        Image.fromarray(pixels).save(root / split / "images" / f"{i}.png")
        kind = np.uint16 if mode == "I;16" else np.uint8
        image = Image.fromarray(numbers.astype(kind))
        (image.convert(mode) if mode == "RGB" else image).save(root / split / "masks" / f"{i}.png")


def opened(root):
    return load(DataSpec("folder", dir=str(root), validation="val", test=""), AugmentSpec(), 8, FIELDS)


def things(*values):
    found = np.zeros((6, 8), int)
    for i, value in enumerate(values):
        found[i, i : i + 3] = value
    return found


@pytest.mark.parametrize("mode, large", [("L", 200), ("I;16", 40_000)])
def test_things_are_numbered_from_1_without_gaps(tmp_path, mode, large):
    write(tmp_path, "train", [things(7, large, 3), things(), things(9)], mode)
    write(tmp_path, "val", [things(1)], mode)
    data = opened(tmp_path)
    assert data.class_names == ("thing",) and data.train.images.shape == (3, 8, 8, 3)
    instances, label = (data.train.extra[name] for name in FIELDS)
    assert instances.dtype == np.uint16 and instances.max((1, 2)).tolist() == [3, 0, 1]
    np.testing.assert_array_equal(instances[0], things(2, 3, 1))
    assert label.tolist() == [[0, 0, 0], [-1, -1, -1], [0, -1, -1]]


def test_a_file_names_the_class_and_one_only(tmp_path):
    for split in ("train", "val"):
        write(tmp_path, split, [things(1)])
    (tmp_path / "classes.txt").write_text("nucleus\n")
    assert opened(tmp_path).class_names == ("nucleus",)
    (tmp_path / "classes.txt").write_text("nucleus\nvessel\n")
    with pytest.raises(ValueError, match="names 2 classes, but masks that number things tell of one"):
        opened(tmp_path)


def test_colours_and_masks_of_another_size_are_named(tmp_path):
    write(tmp_path, "train", [things(1)] * 4)
    write(tmp_path, "val", [things(1)] * 3)
    write(tmp_path / "more", "train", [things(1)], "RGB")
    (tmp_path / "more/train/masks/0.png").rename(tmp_path / "train/masks/0.png")
    Image.fromarray(np.ones((9, 9), np.uint8)).save(tmp_path / "train/masks/1.png")
    problems = "\n".join(opened(tmp_path).problems)
    assert "number things in a grey or palette PNG" in problems and "is 9x9, most masks" in problems


def test_a_split_without_a_thing_is_refused(tmp_path):
    write(tmp_path, "train", [things()] * 2)
    write(tmp_path, "val", [things(1)])
    with pytest.raises(ValueError, match="'train' has nothing above 0 in 2 masks"):
        opened(tmp_path)
