"""A config for one's own pictures: what lies there is found and told, and what is written can be run."""

import numpy as np
import pytest
from PIL import Image

from experiments import cli, init
from scaling.data.survey import survey
from scaling.runs.spec import DataSpec, RunSpec


def write_photos(root, counts, side=24, seed=0):
    """{"train/ant": 3} as PNG files, each of another content."""
    random = np.random.default_rng(seed)
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True)
        for i in range(count):
            pixels = random.integers(0, 256, (side, side + 8, 3), np.uint8)
            Image.fromarray(pixels).save(root / folder / f"{i}.png")
    return root


def test_a_flat_folder_is_cut_and_its_troubles_are_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    photos = write_photos(tmp_path / "pets", {"ant": 30, "bee": 30, "cow": 1})
    (photos / "ant" / "bad.jpg").write_bytes(b"no picture")
    assert init.main(["pets"]) == 1, "a bad file is no success"
    printed = capsys.readouterr().out
    assert "train: 61 pictures of 3 classes, 1 to 30 each" in printed and "24 to 24 px" in printed
    assert "cannot be used: 1" in printed and "bad.jpg: ValueError: it is no JPEG" in printed
    assert "class with a single picture: 1\n  cow in train" in printed
    spec = cli.load_spec("pets.py", {})
    assert (spec.data.train, spec.data.test) == ("train[:80%]", "train[80%:]")
    assert spec.model.base_resolution == 16 and spec.data.fingerprint
    with pytest.raises(ValueError, match="exists: name another"):
        init.main(["pets"])


def test_pictures_in_two_splits_are_found(tmp_path):
    photos = write_photos(tmp_path / "two", {"train/ant": 4, "train/bee": 4, "val/ant": 2, "val/bee": 2})
    (photos / "val" / "bee" / "0.png").write_bytes((photos / "train" / "ant" / "3.png").read_bytes())
    found = survey(DataSpec(source="folder", dir=str(photos)))
    assert [split.images for split in found.splits] == [8, 4]
    ((one, other),) = found.shared
    assert one.endswith("train/ant/3.png") and other.endswith("val/bee/0.png")
    splits = init.recipe(found)["data"]
    assert (splits["train"], splits["test"], splits["validation_fraction"]) == ("train", "val", 0.15)


def test_arrays_are_surveyed_too(tmp_path):
    random = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 40), ("test", 10)):
        arrays[f"{split}_image"] = random.integers(0, 256, (count, 28, 28), np.uint8)
        arrays[f"{split}_label"] = np.arange(count) % 4
    arrays["test_image"][0] = arrays["train_image"][7]
    np.savez(tmp_path / "digits.npz", **arrays)
    found = survey(init.source_of(str(tmp_path / "digits.npz"), ""))
    assert found.splits[0].name == "train" and found.splits[0].classes == {str(i): 10 for i in range(4)}
    assert found.shared == [("train[7]", "test[0]")] and found.median_side == 28
    RunSpec.from_config(init.recipe(found))


@pytest.mark.parametrize("images", [40, 200, 3000, 100_000])
@pytest.mark.parametrize("side", [20, 60, 500])
def test_a_recipe_fits_its_data(images, side):
    from scaling.data.survey import SplitSurvey, Survey

    counts = {name: images // 4 for name in "abcd"}
    made = init.recipe(Survey(DataSpec(source="folder"), (SplitSurvey("train", counts, (side,) * 8),)))
    batch, epochs = made["train"]["batch"], int(made["train"]["duration"].split()[0])
    assert 8 <= batch <= 128 and batch <= images and 10 <= epochs <= 60
    assert made["model"]["base_resolution"] <= max(side, 16)


def test_bad_input_says_what_to_do(tmp_path):
    with pytest.raises(ValueError, match="does not exist: give a folder"):
        init.main([str(tmp_path / "nothing")])
    write_photos(tmp_path / "odd", {"red/ant": 2, "blue/ant": 2})
    with pytest.raises(ValueError, match="call one of them train"):
        init.recipe(survey(DataSpec(source="folder", dir=str(tmp_path / "odd"))))
