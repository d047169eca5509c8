"""A data set without a name is known by what it holds: content decides the id of a run, the path does not."""

import os

import numpy as np
import pytest

from scaling.data import load
from scaling.runs.spec import AugmentSpec, DataSpec, RunSpec
from scaling.sweeps.expand import trials

FILES = {
    f"{split}/{name}/{i}.png": bytes(10 + i) for split in ("train", "val") for name in "ab" for i in (1, 2)
}


def spec_of(source, path, **changes):
    data = {"source": source, "dir": str(path), **({"test": "val"} if source == "folder" else {}), **changes}
    return RunSpec.from_config({"data": data})


def id_of(source, path):
    return spec_of(source, path).id


def renamed(files, old, new):
    return {name.replace(old, new): data for name, data in files.items()}


CHANGES = {
    "a file more": FILES | {"train/a/3.png": bytes(3)},
    "a file less": {name: data for name, data in FILES.items() if name != "val/b/2.png"},
    "a file resized": FILES | {"train/a/1.png": bytes(999)},
    "a class renamed": renamed(FILES, "/a/", "/c/"),
    "a class renamed in one split": renamed(FILES, "val/a/", "val/c/"),
    "a file of another class": renamed(FILES, "train/a/2.png", "train/b/3.png"),
    "two sizes swapped": FILES | {"train/a/1.png": bytes(12), "train/a/2.png": bytes(11)},
}


@pytest.mark.parametrize("files", CHANGES.values(), ids=CHANGES.keys())
def test_folders_that_differ_are_two_runs(packing, tmp_path, files):
    one, other = (
        packing.write_folder(tmp_path / "one", FILES),
        packing.write_folder(tmp_path / "other", files),
    )
    assert id_of("folder", one) != id_of("folder", other)


def test_the_same_content_elsewhere_is_the_same_run_whatever_its_order_times_and_hidden_files(
    packing, tmp_path
):
    one = packing.write_folder(tmp_path / "one", FILES)
    other = packing.write_folder(tmp_path / "deep" / "other", dict(reversed(FILES.items())))
    for path in other.rglob("*.png"):
        os.utime(path, (1, 1))
    (other / ".DS_Store").write_text("x")
    (other / "train" / ".cache").mkdir()
    assert id_of("folder", one) == id_of("folder", other)
    assert spec_of("folder", one).data.dir != spec_of("folder", other).data.dir


def test_a_link_to_nothing_is_listed(packing, tmp_path):
    folder = packing.write_folder(tmp_path / "set", FILES)
    before = id_of("folder", folder)
    (folder / "train" / "a" / "lost.png").symlink_to(tmp_path / "nowhere")
    assert id_of("folder", folder) != before


def arrays(seed=0, **changes):
    rng = np.random.default_rng(seed)
    return {
        "train_image": rng.integers(0, 256, (6, 4, 4), np.uint8),
        "train_label": np.arange(6) % 2,
    } | changes


def test_arrays_are_told_apart_by_their_content_at_equal_sizes(tmp_path):
    for name, values in (
        ("one", arrays(0)),
        ("other", arrays(1)),
        ("labels", arrays(0, train_label=np.ones(6, int))),
    ):
        np.savez(tmp_path / f"{name}.npz", **values)
    (tmp_path / "moved").mkdir()
    np.savez_compressed(tmp_path / "moved" / "again.npz", **arrays(0))
    ids = [id_of("npz", tmp_path / f"{name}.npz") for name in ("one", "other", "labels", "moved/again")]
    assert len(set(ids)) == 3 and ids[0] == ids[3]


def test_the_files_of_splits_are_told_apart_by_name(tmp_path):
    for directory, names in (("one", ("train", "test")), ("swapped", ("test", "train"))):
        (tmp_path / directory).mkdir()
        for seed, name in enumerate(names):
            np.savez(
                tmp_path / directory / f"{name}.npz",
                image=arrays(seed)["train_image"],
                label=np.arange(6) % 2,
            )
    assert id_of("npz", tmp_path / "one") != id_of("npz", tmp_path / "swapped")


@pytest.mark.parametrize("data", [{"source": "digits"}, {"source": "tfds", "name": "cifar10"}])
def test_a_set_with_a_name_is_known_by_it(data, tmp_path):
    ids = {
        RunSpec.from_config({"data": {**data, "dir": path}}).id for path in ("", str(tmp_path), "/nowhere")
    }
    assert ids == {RunSpec.from_dict({"data": data}).id}


@pytest.mark.parametrize("source, error", [("folder", "does not exist"), ("npz", "holds no images")])
@pytest.mark.parametrize("path", ["", "/nowhere/at/all"])
def test_data_that_is_not_there_is_told_when_it_is_read(source, error, path):
    spec = spec_of(source, path)
    assert spec.data.fingerprint == ""
    with pytest.raises(ValueError, match=error):
        load(spec.data, AugmentSpec(), 8)


def test_a_file_that_is_no_archive_is_told_when_it_is_read(tmp_path):
    (tmp_path / "set.rar").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"no \.tar or \.zip"):
        load(spec_of("folder", tmp_path / "set.rar").data, AugmentSpec(), 8)


def test_a_pinned_set_is_not_listed_again_and_is_refused_once_it_has_changed(folder, packing, tmp_path):
    copy = packing.write_folder(tmp_path / "set", packing.photo_files())
    spec = spec_of("folder", copy)
    assert spec.data.fingerprint == spec_of("folder", folder).data.fingerprint
    assert len(load(spec.data, AugmentSpec(), 8).train)
    (copy / "train" / "ant" / "more.png").write_bytes(packing.photo(77))
    assert RunSpec.from_config(spec.to_dict()) == spec
    with pytest.raises(
        ValueError,
        match=rf"config\.data\.fingerprint='{spec.data.fingerprint}'.*has changed.*put the data back",
    ):
        load(spec.data, AugmentSpec(), 8)
    again = spec.to_dict()
    again["data"]["fingerprint"] = ""
    assert len(load(RunSpec.from_config(again).data, AugmentSpec(), 8).train)


def test_a_pinned_file_of_arrays_is_refused_once_it_has_changed(npz, tmp_path):
    path = tmp_path / "set.npz"
    path.write_bytes(npz.read_bytes())
    spec = spec_of("npz", path)
    assert spec.data.fingerprint == spec_of("npz", npz).data.fingerprint and load(spec.data, AugmentSpec(), 8)
    with np.load(npz) as held:
        np.savez(path, **{**held, "test_image": 255 - held["test_image"]})
    with pytest.raises(ValueError, match="has changed"):
        load(spec.data, AugmentSpec(), 8)


def test_opening_lists_an_archive_once(packing, tmp_path, monkeypatch):
    from scaling.border import archives

    path = packing.write_tar(tmp_path / "set.tar", packing.photo_files())
    spec, seen, walk = spec_of("folder", path), [], archives.walk
    monkeypatch.setattr(archives, "walk", lambda root: seen.append(root) or walk(root))
    load(spec.data, AugmentSpec(), 8).test()
    assert seen == [path]


def test_a_sweep_lists_each_of_its_sets_once(packing, tmp_path, monkeypatch):
    from scaling.runs import pinning

    paths = [packing.write_folder(tmp_path / name, {**FILES, f"train/a/{name}.png": b""}) for name in "xyz"]
    seen, tell = [], pinning.SOURCES["folder"]
    monkeypatch.setitem(pinning.SOURCES, "folder", lambda path: seen.append(path) or tell(path))
    base = spec_of("folder", paths[0])
    sweep = {"grid": {"data.dir": [str(path) for path in paths], "data.limit": [1, 2]}, "seeds": [0, 1]}
    made, _ = trials(base, sweep)
    assert len({trial.spec.id for trial in made}) == 12 and len({t.spec.data.fingerprint for t in made}) == 3
    assert trials(base, {"seeds": range(50)})[0][0].spec.data == base.data
    assert sorted(seen) == sorted([paths[0], *paths])


def test_another_source_has_no_fingerprint_of_the_old_one(packing, tmp_path):
    base = spec_of("folder", packing.write_folder(tmp_path, FILES))
    digits = base.revised({"data.source": "digits", "data.test": "test"})
    assert digits.id == RunSpec(data=DataSpec()).id
