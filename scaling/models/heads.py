"""What a head that reads maps makes of them: the function of its kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scaling.arch.arch import Arch
from scaling.models import box_heads, embedding_heads, gan_heads, map_heads, picture_heads, region_heads
from scaling.models.layers import Settings

ANSWERS: dict[type, Callable[..., dict[str, Any]]] = {
    **dict.fromkeys(map_heads.MODULES, map_heads.per_pixel),
    **dict.fromkeys(box_heads.MODULES, box_heads.detect),
    **dict.fromkeys(region_heads.MODULES, region_heads.locate),
    **dict.fromkeys(picture_heads.MODULES, picture_heads.reconstruct),
    **dict.fromkeys(embedding_heads.MODULES, embedding_heads.embed),
    **dict.fromkeys(gan_heads.MODULES, gan_heads.adversary),
}


def answer(
    arch: Arch, maps: Sequence[Any], shape, train: bool, settings: Settings, keys_b, **told: Any
) -> dict[str, Any]:
    """Return the float32 outputs of `arch.head` by name, for images of `shape`, from the maps that it reads.

    `told` is what a head takes beside them: "regions" and "drawn" those in two stages
    (`scaling.models.region_heads`), "noise" a generator (`scaling.models.gan_heads`).
    To be called within a compact method: the module becomes the caller's.
    """
    return ANSWERS[type(arch.head)](arch, maps, shape, train, settings, keys_b, **told)
