"""Prepared TFDS sets whose examples are an image and objects with boxes, such as voc or coco."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scaling.data.boxes import split_of
from scaling.data.source import Source
from scaling.data.splits import StreamSplit
from scaling.data.tfds import Records, check_split, feature_of, kept_side, open_builder, raw_records
from scaling.runs.spec import DataSpec


class Keys(NamedTuple):
    """Where a set has the image, the boxes and the labels of an example."""

    image: str
    boxes: str
    labels: str


def open_tfds_boxes(data: DataSpec, side: int) -> Source:
    """Open the set `data.name` under `data.dir`; images are kept as `scaling.data.tfds.open_tfds` does.

    Examples are those of `scaling.data.boxes`."""
    builder = open_builder(data)
    keys, classes = _keys(builder.info)
    feature = builder.info.features[keys.image]
    side, channels = kept_side(feature, data, side), feature.shape[2]

    def read(split: str) -> StreamSplit:
        records, problems = raw_records(builder, split), []
        name = f"{data.name}/{split}"
        found = [
            _objects(records[row], keys, f"{name}, record {row}", problems) for row in range(len(records))
        ]
        boxes, labels = zip(*found)
        return split_of(
            split, Records(name, records, keys.image, ()), boxes, labels, side, channels, problems
        )

    return Source(data.name, classes, channels, lambda split: check_split(builder, split), read)


def _keys(info: Any) -> tuple[Keys, tuple[str, ...]]:
    """Where the set has what a detector needs, and its classes; ValueError where it has not."""
    import tensorflow_datasets as tfds

    kinds = tfds.features
    images = [key for key, feature in info.features.items() if isinstance(feature, kinds.Image)]
    for key, feature in info.features.items():
        inner = dict(getattr(feature, "feature", {})) if isinstance(feature, kinds.Sequence) else {}
        boxes = [name for name, one in inner.items() if isinstance(one, kinds.BBoxFeature)]
        labels = [name for name, one in inner.items() if isinstance(one, kinds.ClassLabel)]
        if len(images) == 1 and boxes and labels:
            told = Keys(images[0], f"{key}/{boxes[0]}", f"{key}/{labels[0]}")
            return told, tuple(inner[labels[0]].names)
    raise ValueError(
        f"{info.name} does not have one image and a sequence of boxes with class labels, which detection needs: its "
        f"features are {list(info.features)}."
    )


def _objects(record: bytes, keys: Keys, name: str, problems: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Boxes x1 y1 x2 y2 and labels of an example; what has no area within the image is named."""
    told = np.array(feature_of(record, keys.boxes).float_list.value, np.float32).reshape(-1, 4)
    labels = np.array(feature_of(record, keys.labels).int64_list.value, np.int32)
    boxes = np.clip(told[:, [1, 0, 3, 2]], 0, 1)  # TFDS has y before x
    good = np.all(boxes[:, 2:] > boxes[:, :2], 1)
    problems += [
        f"{name}: box {i} at {' '.join(f'{one:g}' for one in told[i])} (y x y x) has no area in its image"
        for i in np.flatnonzero(~good)
    ]
    return boxes[good], labels[good]
