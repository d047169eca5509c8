"""Small image sets on disk in every form that the sources read."""

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

CLASSES = ("ant", "bee", "cat")
PER_CLASS = {"train": 12, "val": 5}
SIDE = 20


def photo(seed: int, form: str = "PNG", mode: str = "RGB", size: tuple[int, int] = (SIDE, SIDE)) -> bytes:
    """An encoded image of noise, smooth enough to survive JPEG."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode).save(out, form)
    return out.getvalue()


def photo_files() -> dict[str, bytes]:
    """`split/class/name` to bytes: three classes in two splits, in JPEG, PNG and WebP."""
    forms = ("JPEG", "PNG", "WEBP")
    return {
        f"{split}/{name}/{i}.{forms[i % 3].lower()}": photo(
            1000 * (split == "val") + 100 * label + i, forms[i % 3]
        )
        for split, count in PER_CLASS.items()
        for label, name in enumerate(CLASSES)
        for i in range(count)
    }


def write_folder(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def write_tar(path: Path, files: dict[str, bytes], prefix: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(prefix + name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def write_zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.fixture(scope="session")
def packing() -> SimpleNamespace:
    """The functions above, for tests that pack their own set."""
    functions = (photo, photo_files, write_folder, write_tar, write_zip)
    return SimpleNamespace(**{function.__name__: function for function in functions})


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """train/ and val/ with three classes."""
    return write_folder(tmp_path_factory.mktemp("photos"), photo_files())


@pytest.fixture(scope="session")
def npz(tmp_path_factory) -> Path:
    """One .npz with train and test arrays of 12 x 12 RGB."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("npz") / "set.npz"
    arrays = {}
    for split, count in (("train", 60), ("test", 20)):
        arrays[f"{split}_image"] = rng.integers(0, 256, (count, 12, 12, 3), np.uint8)
        arrays[f"{split}_label"] = np.arange(count) % 4
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="session")
def prepared(shared, tmp_path_factory) -> Path:
    """A TFDS directory with the first images of mnist and imagenette224, written offline."""
    directory = tmp_path_factory.mktemp("tfds")
    command = [
        sys.executable,
        str(shared / "data/seed_tfds.py"),
        "--data-dir",
        str(directory),
        "--limit",
        "100",
    ]
    subprocess.run([*command, "--datasets", "mnist", "imagenette224"], check=True, capture_output=True)
    return directory


@pytest.fixture(scope="session")
def tools():
    """What reads masks in COCO's formats."""
    return pytest.importorskip("pycocotools.mask", reason="needs the extra 'tasks'")
