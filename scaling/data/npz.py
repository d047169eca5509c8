"""Arrays in .npz files: one file with `train_image`, `train_label`, `test_image`, ... or one file a split.

`dir` is the file, with `<split>_image` and `<split>_label` for each split, or a directory of
`<split>.npz` with `image` and `label`. Images are uint8[N, S, S] or uint8[N, S, S, C], labels integers
[N] from 0. An optional `label_names` gives the classes; without it they are 0 to the largest
training label.
"""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from scaling.border.archives import PACKED_AT_MOST
from scaling.border.fingerprint import of_arrays
from scaling.data.source import Source
from scaling.data.splits import ArraySplit, parse
from scaling.runs.pinning import confirm_data
from scaling.runs.spec import DataSpec

# What NumPy and zipfile raise for a damaged file
DAMAGED = (
    OSError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    KeyError,
    SyntaxError,
    TypeError,
)


def open_npz(data: DataSpec, side: int) -> Source:
    """Find the splits and read the training labels. ValueError names a key that breaks the rule."""
    del side
    path = Path(data.dir).expanduser()
    where = places(path)
    confirm_data(data, lambda: of_arrays(path))
    name, _ = parse(data.train, where)
    images, labels = _arrays(*where[name])
    class_names = read_names(where[name][0]) or tuple(str(i) for i in range(int(labels.max()) + 1))
    channels = images.shape[3]

    def read(split: str) -> ArraySplit:
        name, part = parse(split, where)
        images, labels = _arrays(*where[name])
        if images.shape[3] != channels or labels.max() >= len(class_names):
            raise ValueError(
                f"{where[name][0]}: split {name!r} has {images.shape[3]} channels and labels up to {labels.max()}; the "
                f"training split has {channels} channels and {len(class_names)} classes, so labels from 0 to "
                f"{len(class_names) - 1}: make them agree, or let label_names list all classes."
            )
        return ArraySplit(images[part(len(labels))], labels[part(len(labels))].astype(np.int32))

    return Source(path.stem, class_names, channels, lambda split: parse(split, where), read)


def places(path: Path, field: str = "label") -> dict[str, tuple[Path, str]]:
    """The file and key prefix of each split, of images with a `field`; reads the names of the keys only."""
    if path.is_dir():
        found = {file.stem: (file, "") for file in sorted(path.glob("*.npz"))}
    elif path.is_file():
        with _opened(path) as arrays:
            names = [key.removesuffix("_image") for key in arrays.files if key.endswith("_image")]
        found = {name: (path, f"{name}_") for name in names}
    else:
        found = {}
    if not found:
        raise ValueError(
            f"data.dir={str(path)!r} holds no images: give an .npz with train_image, train_{field}, test_image and "
            f"test_{field}, or a directory with train.npz and test.npz, each with image and {field}."
        )
    return found


def _arrays(file: Path, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    """Images [N, S, S, C] and labels [N] of one split."""
    images, labels = read_arrays(file, prefix, ("image", "label"))
    where = f"{file}, {prefix}image and {prefix}label"
    images = check_images(images, where)
    _check_labels(images, labels, where)
    return images, labels


def read_arrays(file: Path, prefix: str, names: Sequence[str]) -> list[np.ndarray]:
    """The named arrays of one split; ValueError where one is missing or damaged."""
    with _opened(file) as arrays:
        missing = {f"{prefix}{name}" for name in names} - set(arrays.files)
        if missing:
            raise ValueError(f"{file} lacks the key {min(missing)!r}: it has {', '.join(arrays.files)}.")
        return [_array(file, arrays, f"{prefix}{name}") for name in names]


def read_names(file: Path) -> tuple[str, ...]:
    """The classes that a file names; none where it names none."""
    with _opened(file) as arrays:
        if "label_names" not in arrays.files:
            return ()
        return tuple(str(name) for name in _array(file, arrays, "label_names").ravel())


def _opened(file: Path) -> np.lib.npyio.NpzFile:
    """Open an .npz; ValueError where it is none."""
    try:
        found = np.load(file, allow_pickle=False)
    except DAMAGED as error:
        raise ValueError(f"{file} cannot be read as .npz ({error}): copy or save it again.") from error
    if not isinstance(found, np.lib.npyio.NpzFile):
        raise ValueError(f"{file} is no .npz but one array: save it with np.savez.")  # noqa: TRY004
    return found


def _array(file: Path, arrays: np.lib.npyio.NpzFile, key: str) -> np.ndarray:
    """Read one array; ValueError where it is damaged, or claims to be larger than what is there."""
    try:
        archive = arrays.zip
        assert archive is not None
        entry = archive.getinfo(f"{key}.npy")
        with archive.open(entry) as content:
            shape, dtype, start = _header(content)
        if dtype.hasobject:
            raise ValueError("it holds pickled objects, which are never read")
        if math.prod(shape) * dtype.itemsize + start != entry.file_size:
            raise ValueError(
                f"its header says {dtype}{list(shape)}, which {entry.file_size} bytes do not hold"
            )
        if entry.file_size > PACKED_AT_MOST * (entry.compress_size + 1):
            raise ValueError(f"{entry.file_size} bytes cannot be packed in {entry.compress_size}")
        return arrays[key]
    except DAMAGED as error:
        raise ValueError(
            f"{file}: the array {key!r} cannot be read ({error}): copy or save it again."
        ) from error


def _header(content: IO[bytes]) -> tuple[tuple[int, ...], np.dtype, int]:
    """Shape and type of an array, and where its values start in its file."""
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(content)
    if version not in read:
        raise ValueError(f"its format is {version}, not one of {list(read)}")
    shape, _, dtype = read[version](content)
    return shape, dtype, content.tell()


def check_images(images: np.ndarray, where: str) -> np.ndarray:
    """Return images as [N, S, S, C]; ValueError where their shape or type is wrong, or there is none."""
    if images.dtype != np.uint8:
        raise ValueError(
            f"{where}: images are {images.dtype}, must be uint8 from 0 to 255: scale and convert them."
        )
    if images.ndim not in (3, 4) or images.shape[1] != images.shape[2]:
        raise ValueError(f"{where}: images have shape {images.shape}, must be [N, S, S] or [N, S, S, C].")
    if not len(images):
        raise ValueError(f"{where}: there is no image.")
    return images if images.ndim == 4 else images[..., None]


def _check_labels(images: np.ndarray, labels: np.ndarray, where: str) -> None:
    """Raise ValueError where labels have a wrong shape or type, or one is negative."""
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer) or len(labels) != len(images):
        raise ValueError(
            f"{where}: labels are {labels.dtype}{list(labels.shape)}, must be integers, one for each of the "
            f"{len(images)} images."
        )
    if labels.min() < 0:
        raise ValueError(
            f"{where}: a label is {labels.min()}, must be at least 0: number the classes from 0."
        )
