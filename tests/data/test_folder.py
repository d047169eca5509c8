"""The photo folder: every packing reads alike, bad files are listed, nothing disappears in silence."""

import io
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from scaling.border.fingerprint import of_files
from scaling.data import load
from scaling.data.photos import decode
from scaling.runs.spec import AugmentSpec, DataSpec

SIDE = 20
TRUNCATED = slice(None, -30)


def spec(path, **changes) -> DataSpec:
    return DataSpec(**{"source": "folder", "dir": str(path), "test": "val", "store": SIDE, **changes})


def load_photos(path, **changes):
    return load(spec(path, **changes), AugmentSpec(), SIDE)


def assert_same(split, other):
    np.testing.assert_array_equal(split.labels, other.labels)
    for i in range(len(other)):
        np.testing.assert_array_equal(split[i], other[i])


def tar_each(packing, directory, files, prefix):
    for split in ("train", "val"):
        inner = {name: data for name, data in files.items() if name.startswith(split)}
        if not prefix:
            inner = {name.removeprefix(f"{split}/"): data for name, data in inner.items()}
        packing.write_tar(directory / f"{split}.tar", inner)
    return directory


PACKINGS = {
    "one tar": lambda p, d, f: p.write_tar(d / "set.tar", f),
    "one tar, wrapped": lambda p, d, f: p.write_tar(d / "set.tar", f, prefix="./set/"),
    "one zip": lambda p, d, f: p.write_zip(d / "set.zip", f),
    "one zip, stored": lambda p, d, f: p.write_zip(d / "set.zip", f, zipfile.ZIP_STORED),
    "a tar a split": lambda p, d, f: tar_each(p, d, f, prefix=True),
    "a tar a split, without its name": lambda p, d, f: tar_each(p, d, f, prefix=False),
}


@pytest.mark.parametrize("pack", PACKINGS.values(), ids=PACKINGS.keys())
@pytest.mark.parametrize("resident", [True, False])
def test_a_packed_folder_equals_the_folder(folder, packing, tmp_path, pack, resident):
    path = pack(packing, tmp_path, packing.photo_files())
    packed, plain = load_photos(path, resident=resident), load_photos(folder)
    assert of_files(path) == of_files(folder), "the same run"
    assert packed.class_names == plain.class_names == ("ant", "bee", "cat")
    assert (packed.mean, packed.std) == (plain.mean, plain.std)
    for split, other in ((packed.train, plain.train), (packed.validation, plain.validation)):
        assert_same(split, other)
    assert_same(packed.test(), plain.test())


def test_a_folder_without_splits_is_cut_in_parts(packing, tmp_path):
    files = {
        name.removeprefix("train/"): data for name, data in packing.photo_files().items() if "train" in name
    }
    found = load_photos(packing.write_folder(tmp_path, files), train="train[:75%]", test="train[75%:]")
    assert len(found.train) + len(found.validation) == 27 and len(found.test()) == 9
    assert set(found.train.labels) == {0, 1, 2}, "the order mixes the classes"


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_every_colour_mode_becomes_rgb(packing, mode):
    form = "JPEG" if mode == "CMYK" else "PNG"
    image = decode(packing.photo(0, form, mode), SIDE, 3)
    assert image.shape == (SIDE, SIDE, 3) and image.dtype == np.uint8
    if mode == "L":
        assert (image[..., :1] == image).all()


def test_photos_of_any_shape_are_squeezed_to_one_side(packing, tmp_path):
    files = packing.photo_files()
    files["train/ant/wide.png"] = packing.photo(7, size=(90, 31))
    found = load_photos(packing.write_folder(tmp_path, files), store=16)
    assert found.train.images.shape[1:] == (16, 16, 3)


@pytest.mark.parametrize(
    ("orientation", "turn"), [(1, lambda x: x), (3, lambda x: x[::-1, ::-1]), (6, lambda x: np.rot90(x, -1))]
)
def test_a_photo_is_turned_as_its_exif_orientation_says(packing, orientation, turn):
    image = Image.open(io.BytesIO(packing.photo(3, size=(20, 12))))
    exif, out = image.getexif(), io.BytesIO()
    exif[0x0112] = orientation
    image.save(out, "PNG", exif=exif)
    upright = decode(packing.photo(3, size=(20, 12)), None, 3)
    np.testing.assert_array_equal(decode(out.getvalue(), None, 3), turn(upright))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_lies_on_white(mode):
    image = Image.new("RGBA", (4, 2), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 255))
    out = io.BytesIO()
    image.convert(mode).save(out, "PNG")
    found = decode(out.getvalue(), None, 3)
    assert found[0, 1].tolist() == [0, 0, 0] and found[1, 3].tolist() == [255, 255, 255]


@pytest.mark.parametrize("resident", [True, False])
def test_bad_files_are_listed_and_the_rest_goes_on(folder, packing, tmp_path, resident):
    files = packing.photo_files()
    files["train/ant/cut.jpeg"] = packing.photo(90, "JPEG")[TRUNCATED]
    files["train/bee/cut.png"] = packing.photo(91, "PNG")[TRUNCATED]
    files["train/cat/text.webp"] = b"this is no image"
    files["train/cat/empty.png"] = b""
    files["train/cat/notes.txt"] = b"hello"
    files["train/stray.png"] = packing.photo(92)
    files["train/cat/.hidden"] = b"not listed"
    bad = sorted(set(files) - set(packing.photo_files()) - {"train/cat/.hidden"})
    found = load_photos(packing.write_folder(tmp_path, files), resident=resident)
    assert len(found.problems) == len(bad)
    for name in bad:
        assert sum(str(tmp_path / name) in line for line in found.problems) == 1, name
    assert len(found.train) + len(found.validation) == 36


def test_what_an_archive_cannot_give_is_listed_with_its_split(packing, tmp_path):
    path = packing.write_tar(tmp_path / "set.tar", packing.photo_files() | {"val/ant/../../x.png": b"x"})
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("train/ant/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "0.jpeg"
        archive.addfile(link)
    found = load_photos(path)
    assert len(found.problems) == 1 and "train/ant/link.png: a link to 0.jpeg" in found.problems[0]
    assert len(found.test().problems) == 1 and "'..'" in found.test().problems[0]


def test_bad_files_of_the_test_split_are_listed_with_it(packing, tmp_path):
    files = packing.photo_files() | {"val/ant/cut.png": packing.photo(90)[TRUNCATED]}
    found = load_photos(packing.write_folder(tmp_path, files))
    assert found.problems == ()
    assert "cut.png" in found.test().problems[0]


def test_damage_that_a_glance_misses_stops_a_streamed_run(packing, tmp_path):
    whole = packing.photo(1, "PNG")
    files = packing.photo_files() | {"train/ant/middle.png": whole[:60] + bytes(40) + whole[100:]}
    path = packing.write_folder(tmp_path, files)
    assert "middle.png" in load_photos(path).problems[0]
    with pytest.raises(ValueError, match=r"middle\.png.*resident=True"):
        split = load_photos(path, resident=False).train
        for i in range(len(split)):
            split[i]


def test_a_streamed_split_can_be_sent_to_a_worker(folder):
    split = load_photos(folder, resident=False).train
    assert_same(pickle.loads(pickle.dumps(split)), split)


def damaged(packing):
    return {
        name: data[: len(data) // 2] if "/1" not in name else data
        for name, data in packing.photo_files().items()
    }


BROKEN = {
    "half-corrupt": (damaged, "more than half"),
    "empty class": (lambda p: p.photo_files() | {"train/dog/.keep": b""}, "'dog' is empty"),
    "class without photos": (lambda p: p.photo_files() | {"train/dog/a.gif": b"GIF"}, "'dog' has no file"),
    "class of damaged photos": (
        lambda p: p.photo_files() | {"train/dog/a.png": b"x"},
        "class 3 has no usable image",
    ),
    "images outside classes": (lambda p: {"train.png": p.photo(0)}, "<class>/<file>|empty|sub-folder"),
    "empty folder": (lambda p: {}, "is empty"),
}


@pytest.mark.parametrize("files, words", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_folder_is_refused_with_the_fix(packing, tmp_path, files, words):
    with pytest.raises(ValueError, match=words) as error:
        load_photos(packing.write_folder(tmp_path, files(packing)))
    assert "\n" not in str(error.value)


def test_stray_files_are_weighed_against_the_whole_split_not_a_limited_part(packing, tmp_path):
    strays = {f"train/ant/{i}.txt": b"" for i in range(20)}
    path = packing.write_folder(tmp_path, packing.photo_files() | strays)
    assert len(load_photos(path, limit=3).problems) == 20
    packing.write_folder(tmp_path, {f"train/bee/{i}.txt": b"" for i in range(20)})
    with pytest.raises(ValueError, match="40 of 76"):
        load_photos(path)


def test_a_test_class_that_training_lacks_is_refused(packing, tmp_path):
    path = packing.write_folder(tmp_path, packing.photo_files() | {"val/dog/a.png": packing.photo(0)})
    with pytest.raises(ValueError, match="class 'dog'"):
        load_photos(path).test()


def test_compressed_and_damaged_archives_are_refused_with_the_fix(packing, tmp_path):
    (tmp_path / "set.tar").write_bytes(b"\x1f\x8b" + bytes(600))
    (tmp_path / "set.zip").write_bytes(b"nonsense")
    (tmp_path / "set.rar").write_bytes(b"nonsense")
    for name, fix in (("set.tar", "unpack"), ("set.zip", "again"), ("set.rar", "unpack"), ("none", "give")):
        with pytest.raises(ValueError, match=fix):
            load_photos(tmp_path / name)


def test_imagenette_reads_from_its_archives(shared):
    found = load_photos(shared / "data/imagenette224", limit=40, resident=False, store=32)
    assert found.num_classes == 10 and len(found.validation) == 200
    assert np.bincount(found.validation.labels).tolist() == [20] * 10
    assert found.train[0].shape == (32, 32, 3)
