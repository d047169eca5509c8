"""Any prepared TFDS image set, read through array_record at random, without TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling.data.source import Source
from scaling.data.splits import StreamSplit
from scaling.runs.spec import DataSpec

SMALL = 64  # images of one side up to this many pixels are kept as they are
HELD_BYTES = 2**31  # encoded images of one split kept after the pass over its labels
CHUNK = 1024  # records read at once


@dataclass(frozen=True)
class Records:
    """Encoded images by row, from memory where one pass could keep them, else from the record files."""

    name: str
    records: Any
    image: str
    held: Sequence[bytes]

    def read(self, row: int) -> bytes:
        return self.held[row] if self.held else feature_of(self.records[row], self.image).bytes_list.value[0]

    def describe(self, row: int) -> str:
        return f"{self.name}, record {row}"

    def looks_whole(self, row: int) -> bool:
        """True: record files carry checksums of their own."""
        return True


def open_tfds(data: DataSpec, side: int) -> Source:
    """Open the set `data.name` under `data.dir` (empty: TFDS's own directory); splits as TFDS writes them.

    Square images of up to 64 pixels keep their side, larger ones get `side` at most, others `side`.
    """
    builder = open_builder(data)
    image, label = _keys(builder.info)
    feature, classes = builder.info.features[image], builder.info.features[label]
    side, channels = kept_side(feature, data, side), feature.shape[2]

    def read(split: str) -> StreamSplit:
        records = raw_records(builder, split)
        labels, held = _pass(records, image, label)
        encoded = Records(f"{data.name}/{split}", records, image, held)
        return StreamSplit(encoded, labels, np.arange(len(labels)), side, channels)

    check = lambda split: check_split(builder, split)
    return Source(data.name, tuple(classes.names), channels, check, read)


def kept_side(feature: Any, data: DataSpec, side: int) -> int:
    """The side at which images of a feature are kept, where `side` is asked for."""
    height, width, _ = feature.shape
    if data.store is None and height and height == width:
        return height if height <= SMALL else min(side, height)
    return side


def check_split(builder: Any, split: str) -> None:
    """Raise ValueError where a set has no such split."""
    try:
        builder.info.splits[split]
    except (ValueError, KeyError) as error:
        known = ", ".join(builder.info.splits)
        raise ValueError(
            f"{builder.name} has no split {split!r}; it has {known}, and parts of them."
        ) from error


def raw_records(builder: Any, split: str) -> Any:
    """The serialised records of a split: TFDS's own parsing takes five times as long."""
    import tensorflow_datasets as tfds

    return builder.as_data_source(split=split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES)


def open_builder(data: DataSpec) -> Any:
    """The builder of a prepared set; ValueError, with the way to prepare it, where there is none."""
    import tensorflow_datasets as tfds

    try:
        builder: Any = tfds.builder(data.name, data_dir=data.dir or None)
    except Exception as error:  # an unknown name, a missing module or directory, and more
        raise _not_prepared(
            data, f"{type(error).__name__}: {str(error).strip().splitlines()[0].rstrip('.')}"
        ) from error
    if not builder.info.splits or builder.info.file_format.value != "array_record":
        raise _not_prepared(data, "it is not prepared there as array_record")
    return builder


def _not_prepared(data: DataSpec, problem: str) -> ValueError:
    return ValueError(
        f"data.name={data.name!r} cannot be read from {data.dir or 'the default directory of TFDS'}: {problem}. "
        "Prepare it once, where TensorFlow and a network are at hand, with tfds.builder("
        f"{data.name!r}, data_dir=DIR, file_format='array_record').download_and_prepare(), and set data.dir=DIR."
    )


def _keys(info) -> tuple[str, str]:
    """The names of the image and of the label; ValueError where a set has none."""
    import tensorflow_datasets as tfds

    features = info.features
    images = [key for key, feature in features.items() if isinstance(feature, tfds.features.Image)]
    labels = [key for key, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)]
    if info.supervised_keys and set(info.supervised_keys) <= {*images, *labels}:
        return info.supervised_keys[0], info.supervised_keys[1]
    if not images or not labels:
        raise ValueError(
            f"{info.name} has no image and class label to classify: its features are {list(features)}."
        )
    return images[0], labels[0]


def _pass(records, image: str, label: str) -> tuple[np.ndarray, list[bytes]]:
    """Labels of all records, and their encoded images as long as these fit in 2 GiB (else none)."""
    labels, held, size = [], [], 0
    for start in range(0, len(records), CHUNK):
        for record in records.__getitems__(range(start, min(start + CHUNK, len(records)))):
            labels.append(feature_of(record, label).int64_list.value[0])
            if size <= HELD_BYTES:
                held.append(feature_of(record, image).bytes_list.value[0])
                size += len(held[-1])
    return np.array(labels, np.int32), held if size <= HELD_BYTES else []


def feature_of(record: bytes, name: str):
    """One feature of a serialised record."""
    from tensorflow_datasets.proto import tf_example_pb2 as proto

    example = proto.Example.FromString(record)  # pyright: ignore[reportAttributeAccessIssue]
    return example.features.feature[name]
