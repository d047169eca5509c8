"""Outlines in COCO's format: maps that number things, their classes, odd images named."""

import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from scaling.data.dataset import load
from scaling.data.outlines import covered
from scaling.runs.spec import AugmentSpec, DataSpec, RunSpec
from scaling.training import run
from scaling.training.progress import Silent

FIELDS = ("instances", "label")
SIDE = 16


def square(x, y, side):
    return [[x, y, x + side, y, x + side, y + side, x, y + side]]


def write(root, split, images):
    """Images as (width, height, [(category, outline)]), by COCO's layout; True as outline marks a crowd."""
    (root / split).mkdir(parents=True)
    notes, listed = [], []
    for number, (width, height, things) in enumerate(images):
        file = f"{number}.png"
        listed.append({"id": number, "file_name": file, "width": width, "height": height})
        Image.new("RGB", (32, 24), (number, 9, 9)).save(root / split / file)
        for category, outline in things:
            own = {"segmentation": outline, "iscrowd": int(outline is True), "bbox": [0, 0, 4, 4]}
            notes.append({"image_id": number, "category_id": category, **own})
    kinds = [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}]
    told = {"images": listed, "annotations": notes, "categories": kinds}
    (root / f"instances_{split}.json").write_text(json.dumps(told))


def opened(root, side=SIDE):
    return load(DataSpec("coco", dir=str(root), validation="val", test=""), AugmentSpec(), side, FIELDS)


@pytest.fixture
def root(tmp_path):
    # A large dog with a cat on it, told first; nothing; a crowd and a cat
    first = (32, 24, [(3, square(8, 6, 8)), (7, square(4, 2, 20))])
    write(tmp_path, "train", [first, (32, 24, []), (32, 24, [(7, True), (3, square(0, 0, 12))])])
    write(tmp_path, "val", [(32, 24, [(3, square(2, 2, 8))])])
    return tmp_path


def test_maps_number_things_and_the_smaller_lies_above(root):
    data = opened(root)
    assert data.class_names == ("cat", "dog") and data.train.images.shape == (3, SIDE, SIDE, 3)
    maps, label = (data.train.extra[name] for name in FIELDS)
    assert maps.dtype == np.uint16 and label.tolist() == [[0, 1], [-1, -1], [0, -1]]
    rows, columns = 24 / SIDE, 32 / SIDE
    centre = lambda x, y: maps[0, int(y / rows), int(x / columns)]
    assert (centre(12, 10), centre(6, 4), centre(30, 22)) == (1, 2, 0)
    assert [np.unique(one).tolist() for one in maps] == [[0, 1, 2], [0], [0, 1]]
    # The cat has 8 by 8 pixels of 32 by 24, of which every second column and two of three rows are kept
    assert (maps[0] == 1).sum() in (4 * 5, 4 * 6)


def test_what_cannot_be_used_is_named(root):
    write(root, "more", [(32, 24, [(3, square(2, 2, 8))])] * 4 + [
        (32, 24, [(3, [])]), (60, 24, [(3, square(2, 2, 8))]), (32, 24, [(3, square(2, 2, 8)), (7, square(3, 3, 0.4))]),
    ])  # fmt: skip
    spec = DataSpec("coco", dir=str(root), train="more", validation="val", test="")
    data = load(spec, AugmentSpec(), SIDE, FIELDS)
    assert len(data.train) == 5
    text = "; ".join(data.problems)
    assert "4.png: segmentation=[] is neither" in text
    assert "5.png: its mask is 60x24, its image 32x24" in text
    assert "6.png: thing 1, dog, has no pixel of its own at 16 pixels" in text


def test_a_split_without_outlines_teaches_nothing(tmp_path):
    write(tmp_path, "train", [(32, 24, [])])
    write(tmp_path, "val", [(32, 24, [(3, square(2, 2, 8))])])
    with pytest.raises(ValueError, match="no outline in 1 images"):
        opened(tmp_path)


@pytest.fixture(scope="module")
def photos(shared, tmp_path_factory):
    """The offline photos, their outlines as COCO writes them."""
    root = tmp_path_factory.mktemp("coco")
    told = json.loads((shared / "data/tasks/coco_samples_instances/instances.json").read_text())
    for split, images in told["splits"].items():
        with tarfile.open(shared / f"data/coco_samples/{split}.tar") as archive:
            archive.extractall(root, filter="data")
        listed, notes = [], []
        for number, image in enumerate(images):
            listed.append(
                {"id": number, "file_name": image["file"], **{k: image[k] for k in ("width", "height")}}
            )
            for category, *corners in image["polygons"]:
                places = np.array(corners, float).reshape(-1, 2)
                sides = [*places.min(0), *np.ptp(places, 0)]
                own = {"segmentation": [places.ravel().tolist()], "bbox": sides, "iscrowd": 0}
                notes.append({"image_id": number, "category_id": category, **own})
        kinds = [{"id": int(number), "name": name} for number, name in told["categories"].items()]
        made = {"images": listed, "annotations": notes, "categories": kinds}
        (root / f"instances_{split}.json").write_text(json.dumps(made))
    return root


def test_outlines_of_real_photos_cover_what_the_peer_says(photos, tools):
    for split in ("train", "val"):
        told = json.loads((photos / f"instances_{split}.json").read_text())
        sizes = {image["id"]: (image["height"], image["width"]) for image in told["images"]}
        for note in told["annotations"]:
            size = sizes[note["image_id"]]
            ours = covered(note["segmentation"], *size)
            theirs = tools.decode(tools.frPyObjects(note["segmentation"], *size))[..., 0] > 0
            around = sum(
                np.hypot(*side) for side in np.diff(np.reshape(note["segmentation"], (-1, 2)), axis=0)
            )
            assert (ours ^ theirs).sum() <= 2 + 0.5 * around, "they differ at edges alone"


def test_real_photos_are_read_whole(photos):
    data = opened(photos, 128)
    assert len(data.class_names) == 80 and (len(data.train), len(data.validation)) == (20, 12)
    things = [split.extra["label"] >= 0 for split in (data.train, data.validation)]
    assert sum(one.sum() for one in things) == 271


@pytest.mark.nightly
def test_masks_of_many_classes_are_trained_and_scored(photos, tmp_path):
    config = {
        "task": "instance_segmentation",
        "model": {"name": "resnet18", "stages": [0, 1], "head": "maskrcnn", "base_width": 0.125,
                  "base_resolution": 64, "rounding": "narrow"},
        "data": {"source": "coco", "dir": str(photos), "validation": "val", "test": "train[:4]"},
        "train": {"batch": 4, "duration": "2 steps", "eval_batch": 4, "regions": 16, "devices": 1,
                  "pictures": False},
    }  # fmt: skip
    config["data"] |= {"train": "train[4:]"}
    row = run(RunSpec.from_config(config), tmp_path, Silent())
    assert row.status == "ok"
    assert {"test_mask_ap50", "test_ap50"} <= row.metrics.keys() and np.isfinite(row.metrics["test_loss"])
