"""Prepared TFDS sets whose examples are an image and a mask, such as oxford_iiit_pet."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from scaling.data.masks import Pair, check_classes, decoded, in_memory, number_classes
from scaling.data.source import Source
from scaling.data.splits import ArraySplit
from scaling.data.tfds import check_split, feature_of, kept_side, open_builder, raw_records
from scaling.runs.spec import DataSpec

MASKS = ("segmentation_mask", "segmentation_label", "mask")  # as TFDS's own sets call it


def open_tfds_masks(data: DataSpec, side: int) -> Source:
    """Open the set `data.name` and read its training masks; all of a split is held in memory.

    Images are kept as `scaling.data.tfds.open_tfds` does. Masks stay as they are where the set states their
    size, and else are brought to the images' side. Classes are the masks' values, or the set's names."""
    builder = open_builder(data)
    image, mask = _keys(builder.info)
    feature, masks = builder.info.features[image], builder.info.features[mask]
    side, channels = kept_side(feature, data, side), feature.shape[2]
    mask_side = None if all(masks.shape[:2]) else side

    @functools.cache
    def whole(split: str) -> ArraySplit:
        records = raw_records(builder, split)
        pairs = [
            _pair(f"{data.name}/{split}, record {i}", records, i, image, mask) for i in range(len(records))
        ]
        return in_memory(*decoded(split, pairs, data, side, channels, mask_side))

    check_split(builder, data.train)
    class_names = tuple(getattr(masks, "names", None) or number_classes(whole(data.train)))

    def read(split: str) -> ArraySplit:
        examples = whole(split)
        check_classes(split, examples, class_names, "the set's features")
        return examples.take(np.arange(len(examples)))

    return Source(data.name, class_names, channels, lambda split: check_split(builder, split), read)


def _keys(info: Any) -> tuple[str, str]:
    """The names of the image and of its mask; ValueError where a set has none, or several."""
    import tensorflow_datasets as tfds

    found = [key for key, feature in info.features.items() if isinstance(feature, tfds.features.Image)]
    masks = [key for key in found if key in MASKS]
    images = [key for key in found if key not in MASKS]
    if len(images) != 1 or len(masks) != 1:
        raise ValueError(
            f"{info.name} does not have one image and one mask ({', '.join(MASKS)}), which segmentation needs: its "
            f"features are {list(info.features)}."
        )
    return images[0], masks[0]


def _pair(name: str, records: Any, row: int, image: str, mask: str) -> Pair:
    read = lambda feature: feature_of(records[row], feature).bytes_list.value[0]
    return Pair(name, name, lambda: read(image), lambda: read(mask))
