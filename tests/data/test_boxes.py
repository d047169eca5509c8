"""Boxes beside images: three formats of the same set read alike, odd ones are named, bad sets refused."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from scaling.data.dataset import load
from scaling.runs.spec import AugmentSpec, DataSpec, RunSpec

SIZE = 40, 20  # width and height
CLASSES = "cat", "dog"
# For each image its boxes in pixels: class, x1 y1 x2 y2; the third has none
SCENES = {
    "train": [[(0, 0, 0, 20, 10), (1, 10, 5, 40, 20)], [(1, 4, 4, 8, 8)], [], [(0, 1, 2, 3, 4)]],
    "val": [[(0, 30, 10, 40, 20)], [(1, 0, 0, 4, 4)]],
}


def photo(seed, size):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)).save(
        file, "PNG"
    )
    return file.getvalue()


def write_photos(root, zipped=False):
    for split, scenes in SCENES.items():
        files = {f"{split}_{i}.png": photo(i, size=SIZE) for i in range(len(scenes))}
        if zipped:
            with zipfile.ZipFile(root / f"{split}.zip", "w") as archive:
                for name, data in files.items():
                    archive.writestr(f"images/{name}", data)
        else:
            (root / split).mkdir(parents=True)
            for name, data in files.items():
                (root / split / name).write_bytes(data)


def write_plain(root):
    splits = {
        split: [
            {"file": f"{split}_{i}.png", "width": SIZE[0], "height": SIZE[1], "objects": scene}
            for i, scene in enumerate(scenes)
        ]
        for split, scenes in SCENES.items()
    }
    (root / "boxes.json").write_text(json.dumps({"classes": CLASSES, "splits": splits}))


def write_coco(root):
    for split, scenes in SCENES.items():
        notes = [(i, note) for i, scene in enumerate(scenes) for note in scene]
        told = {
            "images": [
                {"id": 7 + i, "file_name": f"{split}_{i}.png", "width": SIZE[0], "height": SIZE[1]}
                for i in range(len(scenes))
            ],
            # ids with a gap, out of order
            "categories": [{"id": 9, "name": "dog"}, {"id": 2, "name": "cat"}],
            "annotations": [
                {"image_id": 7 + i, "category_id": (2, 9)[k], "bbox": [x1, y1, x2 - x1, y2 - y1]}
                for i, (k, x1, y1, x2, y2) in notes
            ],
        }
        told["annotations"].append({"image_id": 7, "category_id": 2, "bbox": [0, 0, 40, 20], "iscrowd": 1})
        (root / f"instances_{split}.json").write_text(json.dumps(told))


def write_voc(root):
    (root / "Annotations").mkdir(parents=True)
    (root / "ImageSets/Main").mkdir(parents=True)
    for split, scenes in SCENES.items():
        for i, scene in enumerate(scenes):
            objects = "".join(
                f"<object><name>{CLASSES[k]}</name><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax>"
                f"<ymax>{y2}</ymax></bndbox></object>"
                for k, x1, y1, x2, y2 in scene
            )
            size = f"<size><width>{SIZE[0]}</width><height>{SIZE[1]}</height><depth>3</depth></size>"
            text = f"<annotation><filename>elsewhere.jpg</filename>{size}{objects}</annotation>"
            (root / f"Annotations/{split}_{i}.xml").write_text(text)
        names = "\n".join(f"{split}_{i}" for i in range(len(scenes)))
        (root / f"ImageSets/Main/{split}.txt").write_text(names + "\n")


WRITERS = {"boxes": write_plain, "coco": write_coco, "voc": write_voc}


def opened(root, source="boxes", **changes):
    spec = DataSpec(source, dir=str(root), validation="val", test="", **changes)
    return load(spec, AugmentSpec(), 8, ("boxes", "label"))


@pytest.fixture
def plain(tmp_path):
    """A set as a boxes.json, and a function that writes a changed one."""
    write_photos(tmp_path)
    write_plain(tmp_path)

    def change(action):
        told = json.loads((tmp_path / "boxes.json").read_text())
        action(told)
        (tmp_path / "boxes.json").write_text(json.dumps(told))

    return tmp_path, change


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("source", WRITERS)
def test_every_format_gives_the_same_examples(tmp_path, source, zipped):
    write_photos(tmp_path, zipped=zipped)
    WRITERS[source](tmp_path)
    data = opened(tmp_path, source)
    assert data.class_names == CLASSES and not data.problems
    assert data.train.images.shape == (4, 8, 8, 3) and data.validation.extra["boxes"].shape == (2, 1, 4)
    label, boxes = data.train.fields["label"], data.train.fields["boxes"]
    np.testing.assert_array_equal(label, [[0, 1], [1, -1], [-1, -1], [0, -1]])
    np.testing.assert_allclose(boxes[0], [[0, 0, 0.5, 0.5], [0.25, 0.25, 1, 1]])
    np.testing.assert_allclose(boxes[1], [[0.1, 0.2, 0.2, 0.4], [0, 0, 0, 0]])


def test_streamed_examples_are_those_in_memory(plain):
    root, _ = plain
    memory, streamed = opened(root).train, opened(root, resident=False).train
    np.testing.assert_array_equal(streamed[2], memory[2])
    rows = np.array([3, 0])
    for name, array in memory.take(rows).extra.items():
        np.testing.assert_array_equal(array, streamed.take(rows).extra[name])


def test_a_changed_set_is_another_run(plain):
    root, change = plain
    config = {"data": {"source": "boxes", "dir": str(root)}, "task": "detection"}
    before = RunSpec.from_config(config).id
    change(lambda told: told["splits"]["train"][1]["objects"].append([0, 1, 1, 9, 9]))
    assert RunSpec.from_config(config).id != before


def test_what_cannot_be_used_is_named_and_left_out(plain):
    root, change = plain

    def damage(told):
        train = told["splits"]["train"]
        train[0]["objects"] += [[0, 5, 5, 5, 9], [1, 50, 0, 60, 9], [1, -9, -9, 9, 9]]
        train[1]["width"] = 41
        train.append({"file": "lost.png", "width": 4, "height": 4, "objects": []})

    change(damage)
    data = opened(root)
    assert len(data.train) == 3
    told = "\n".join(data.problems)
    assert "train_0.png: box 2, cat at 5 5 5 9, has no area" in told
    assert "train_0.png: box 3, dog at 50 0 60 9, lies outside of its 40x20 pixels" in told
    assert "it is 40x20, but its annotation says 41x20" in told and "lost.png: no such photo" in told
    np.testing.assert_allclose(data.train.extra["boxes"][0, 2], [0, 0, 9 / 40, 9 / 20])


@pytest.mark.parametrize(
    "damage, told",
    [
        (lambda d: d["splits"]["train"][0]["objects"].append([2, 0, 0, 4, 4]), "of class 2, but there are 2"),
        (lambda d: d["splits"]["train"][0]["objects"].append([0, 0, 0, 4]), "not four numbers"),
        (lambda d: d["splits"]["train"][0].update(width="40"), "width='40' is no int"),
        (lambda d: [one.update(objects=[]) for one in d["splits"]["train"]], "no box in 4 images"),
        (
            lambda d: [one.update(file="x.png") for one in d["splits"]["train"]],
            "4 of 4 images cannot be used",
        ),
        (lambda d: d.pop("splits"), "splits=None is no dict"),
        (lambda d: d["splits"].pop("train"), "split 'train' is not known here: use one of val"),
    ],
)
def test_a_set_that_is_not_what_was_meant_is_refused(plain, damage, told):
    root, change = plain
    change(damage)
    with pytest.raises(ValueError, match=told):
        opened(root)


@pytest.mark.parametrize(
    "told, changed, message",
    [
        ('"category_id": 9', '"category_id": 3', "category_id 3, which is not among the categories"),
        ('{"id": 8,', '{"id": 7,', "train_1.png has the id 7 of another image"),
        ('"width": 40', '"width": 40.5', "width=40.5 is no int"),
    ],
)
def test_wrong_annotations_of_coco_are_refused(tmp_path, told, changed, message):
    write_photos(tmp_path)
    write_coco(tmp_path)
    path = tmp_path / "instances_train.json"
    path.write_text(path.read_text().replace(told, changed))
    with pytest.raises(ValueError, match=message):
        opened(tmp_path, "coco")


def test_categories_of_one_name_are_one_class_and_whole_numbers_may_have_points(tmp_path):
    write_photos(tmp_path)
    write_coco(tmp_path)
    for path in tmp_path.glob("*.json"):
        text = path.read_text().replace('"categories": [', '"categories": [{"id": 1, "name": "cat"}, ')
        path.write_text(text.replace('"width": 40', '"width": 40.0'))
    data = opened(tmp_path, "coco")
    assert data.class_names == CLASSES and data.train.fields["label"][0].tolist() == [0, 1]


def test_a_second_file_of_a_split_is_refused(tmp_path):
    write_photos(tmp_path)
    write_coco(tmp_path)
    (tmp_path / "train.json").write_text((tmp_path / "instances_train.json").read_text())
    with pytest.raises(ValueError, match="second file of the split 'train'"):
        opened(tmp_path, "coco")


def test_maps_of_a_photos_name_are_not_its_photo(tmp_path):
    write_voc(tmp_path)
    for folder in ("JPEGImages", "SegmentationClass", "SegmentationObject"):
        (tmp_path / folder).mkdir()
        for split, scenes in SCENES.items():
            for i in range(len(scenes)):
                (tmp_path / folder / f"{split}_{i}.png").write_bytes(photo(len(folder) + i, SIZE))
    data = opened(tmp_path, "voc", resident=False)
    with Image.open(tmp_path / "JPEGImages/train_2.png") as image:
        expected = np.asarray(image.convert("RGB").resize((8, 8), Image.Resampling.BILINEAR))
    assert not data.problems
    np.testing.assert_array_equal(data.train[2], expected)


def test_annotations_that_cannot_be_read_count_as_lost_images(tmp_path):
    write_photos(tmp_path)
    write_voc(tmp_path)
    for i in (1, 2, 3):
        (tmp_path / f"Annotations/train_{i}.xml").write_text("<annotation>")
    with pytest.raises(ValueError, match="3 of 4 images cannot be used"):
        opened(tmp_path, "voc")


def test_a_class_that_training_never_saw_is_refused(tmp_path):
    write_photos(tmp_path)
    write_voc(tmp_path)
    path = tmp_path / "Annotations/val_0.xml"
    path.write_text(path.read_text().replace("cat", "cow"))
    with pytest.raises(ValueError, match="the class 'cow', which the training split does not have"):
        opened(tmp_path, "voc")


def test_an_annotation_that_declares_entities_is_left_out(tmp_path):
    write_photos(tmp_path)
    write_voc(tmp_path)
    path = tmp_path / "Annotations/train_1.xml"
    path.write_text('<!DOCTYPE a [<!ENTITY x "y">]>' + path.read_text())
    data = opened(tmp_path, "voc")
    assert len(data.train) == 3 and "declares entities" in data.problems[0]


def test_a_directory_without_annotations_is_refused(tmp_path):
    write_photos(tmp_path)
    with pytest.raises(ValueError, match="no annotations in the format data.source='coco'"):
        opened(tmp_path, "coco")
