"""All heads that answer more than one class an image, by the names that a config's `model.head` takes."""

from __future__ import annotations

from scaling.arch import (
    anchors,
    box_heads,
    embedding_heads,
    gan_heads,
    map_heads,
    necks,
    picture_heads,
    region_heads,
)
from scaling.arch.map_heads import MapHead

HEADS: dict[str, MapHead] = {
    **map_heads.MAP_HEADS,
    **box_heads.BOX_HEADS,
    **region_heads.REGION_HEADS,
    **picture_heads.PICTURE_HEADS,
    **embedding_heads.EMBEDDING_HEADS,
    **gan_heads.GAN_HEADS,
}
KINDS = (
    *map_heads.KINDS,
    *box_heads.KINDS,
    *region_heads.KINDS,
    *picture_heads.KINDS,
    *embedding_heads.KINDS,
    *gan_heads.KINDS,
)
PARTS = (*necks.KINDS, *anchors.KINDS, *region_heads.PARTS)  # values within them
