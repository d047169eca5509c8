"""A mask beside each image: read by pairs, odd files named, bad sets refused in a sentence."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from scaling.data.dataset import load
from scaling.data.masks import VOID
from scaling.runs.spec import AugmentSpec, DataSpec

SPEC = DataSpec("folder", validation="val", test="")


def png(array, mode="L") -> bytes:
    file = io.BytesIO()
    Image.fromarray(array.astype(np.uint8), mode).save(file, "PNG")
    return file.getvalue()


def write(root, split, count=4, classes=3, size=(12, 16), zipped=False):
    """A split of `count` images and masks; returns the masks."""
    rng = np.random.default_rng(len(split))
    masks = [rng.integers(0, classes, size) for _ in range(count)]
    files = {}
    for i, mask in enumerate(masks):
        files[f"images/{i}.png"] = png(rng.integers(0, 256, (*size, 3)), "RGB")
        files[f"masks/{i}.png"] = png(mask)
    if zipped:
        with zipfile.ZipFile(root / f"{split}.zip", "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    for name, data in files.items():
        if not zipped:
            path = root / split / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return np.stack(masks)


def mapped(root, change):
    """Change the training masks' values."""
    for path in (root / "train/masks").iterdir():
        path.write_bytes(png(change(np.asarray(Image.open(path)))))


def opened(root, **changes):
    return load(
        DataSpec("folder", dir=str(root), validation="val", test="", **changes), AugmentSpec(), 8, ("mask",)
    )


@pytest.mark.parametrize("zipped", [False, True])
def test_masks_keep_their_size_and_images_are_squeezed(tmp_path, zipped):
    masks = {split: write(tmp_path, split, zipped=zipped) for split in ("train", "val")}
    data = opened(tmp_path)
    assert data.train.images.shape == (4, 8, 8, 3) and data.class_names == ("0", "1", "2")
    np.testing.assert_array_equal(data.train.extra["mask"], masks["train"])
    np.testing.assert_array_equal(data.validation.take(np.array([2])).extra["mask"], masks["val"][[2]])


def test_void_counts_for_nothing_and_binary_is_above_0(tmp_path):
    masks = write(tmp_path, "train", classes=4)
    write(tmp_path, "val", classes=4)
    data = opened(tmp_path, void=3)
    assert data.num_classes == 3
    np.testing.assert_array_equal(data.train.extra["mask"] == VOID, masks == 3)
    binary = opened(tmp_path, binary=True)
    assert binary.num_classes == 2
    np.testing.assert_array_equal(binary.train.extra["mask"], masks > 0)


def test_classes_are_named_by_a_file(tmp_path):
    write(tmp_path, "train")
    write(tmp_path, "val")
    (tmp_path / "classes.txt").write_text("sky\nroad\ncar\nbus\n")
    assert opened(tmp_path).class_names == ("sky", "road", "car", "bus")


def test_what_cannot_be_used_is_named_and_left_out(tmp_path):
    write(tmp_path, "train", count=6)
    write(tmp_path, "val")
    folder = tmp_path / "train"
    (folder / "masks/0.png").unlink()
    (folder / "masks/1.png").write_bytes(png(np.zeros((5, 5))))
    (folder / "masks/2.png").write_bytes(png(np.zeros((12, 16, 3)), "RGB"))
    data = opened(tmp_path)
    assert len(data.train) == 3
    told = " ".join(data.problems)
    assert "has no mask" in told and "is 5x5, most masks of the split 16x12" in told and "mode RGB" in told


def test_a_mask_of_another_shape_than_its_image_is_named_and_left_out(tmp_path):
    write(tmp_path, "train")
    write(tmp_path, "val")
    (tmp_path / "train/images/2.png").write_bytes(png(np.zeros((16, 12, 3)), "RGB"))
    (tmp_path / "train/images/3.png").write_bytes(png(np.zeros((6, 8, 3)), "RGB"))  # half as large: it fits
    data = opened(tmp_path)
    assert len(data.train) == 3
    assert "masks/2.png: is 16x12, its image 12x16" in " ".join(data.problems)


def test_a_photo_is_turned_before_its_mask_is_compared(tmp_path):
    write(tmp_path, "train")
    write(tmp_path, "val")
    turned = Image.Exif()
    turned[0x0112] = 6  # stored lying, seen upright
    for name, size in (("2", (16, 12)), ("3", (12, 16))):
        Image.new("RGB", size).save(tmp_path / f"train/images/{name}.png", exif=turned)
    data = opened(tmp_path)
    assert len(data.train) == 3
    assert "masks/2.png: is 16x12, its image 12x16" in " ".join(data.problems)


@pytest.mark.parametrize(
    "damage, told",
    [
        (lambda root: [p.unlink() for p in (root / "train/masks").iterdir()], "more than half"),
        (lambda root: (root / "val/masks/0.png").write_bytes(png(np.full((12, 16), 9))), "class 9"),
        (lambda root: (root / "train").rename(root / "other"), "train"),
        (lambda root: mapped(root, lambda mask: 255 * (mask > 0)), "class 0 alone and 255.*data.binary=True"),
        (lambda root: mapped(root, lambda mask: 100 * mask), "3 values up to 200.*201 classes"),
    ],
)
def test_a_set_that_is_not_what_was_meant_is_refused(tmp_path, damage, told):
    write(tmp_path, "train")
    write(tmp_path, "val")
    damage(tmp_path)
    with pytest.raises(ValueError, match=told):
        opened(tmp_path)


def test_a_source_without_masks_is_refused():
    with pytest.raises(ValueError, match="without a mask"):
        load(DataSpec("digits"), AugmentSpec(), 8, ("mask",))
