"""Encoded photos (JPEG, PNG, WebP) to squares of uint8: decoding, screening, many at once."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
MODES = {1: "L", 3: "RGB"}
ORIENTATION, TURNED = 0x0112, range(5, 9)  # the EXIF tag, its values for height and width exchanged
ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89PNG": b"IEND\xaeB`\x82"}


def decode(encoded: bytes, side: int | None, channels: int) -> np.ndarray:
    """Decode to uint8[H, W, C] and squeeze to `side` x `side` (None: its own size).

    Grey becomes RGB (or colour grey); what is transparent lies on white, and a photo is turned as its EXIF
    orientation says. Raises what Pillow raises for damaged data, ValueError for more than 8 bits a channel.
    """
    from PIL import Image

    with opened(encoded) as image:
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"mode {image.mode} has more than 8 bits a channel: store it with 8")
        if side is not None:
            image.draft(MODES[channels], (2 * side, 2 * side))  # a JPEG decoder that skips what is not needed
        pixels = seen(image, MODES[channels])  # an image of the right size is not resized
        if side is not None and pixels.size != (side, side):
            pixels = pixels.resize((side, side), Image.Resampling.BILINEAR)
        return np.asarray(pixels, np.uint8).reshape(pixels.height, pixels.width, channels)


def opened(encoded: bytes) -> Any:
    """Open an encoded photo with Pillow; ValueError where it is of no format that we read."""
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(io.BytesIO(encoded), formats=("JPEG", "PNG", "WEBP"))
    except UnidentifiedImageError:
        raise ValueError("it is no JPEG, PNG or WebP picture, or is damaged at its beginning") from None


def seen(image: Any, mode: str) -> Any:
    """Return a Pillow image as a viewer shows it, in `mode`: upright, on white where it is transparent."""
    from PIL import Image, ImageOps

    if image.getexif().get(ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        layers = image.convert("RGBA")
        image = Image.new("RGBA", image.size, "white")
        image.alpha_composite(layers)
    return image if image.mode == mode else image.convert(mode)  # converting copies, also where mode is right


def size_of(encoded: bytes) -> tuple[int, int]:
    """The width and height of an encoded photo as it is seen."""
    with opened(encoded) as image:
        width, height = image.size
        return (height, width) if image.getexif().get(ORIENTATION, 1) in TURNED else (width, height)


def squeeze(images_nhwc: np.ndarray, side: int) -> np.ndarray:
    """Resize uint8 images of one or three channels to `side` x `side`, antialiased."""
    from PIL import Image

    def one(image: np.ndarray) -> np.ndarray:
        pixels = Image.fromarray(image if image.shape[2] > 1 else image[..., 0])
        resized = pixels.resize((side, side), Image.Resampling.BILINEAR)
        return np.asarray(resized, np.uint8).reshape(side, side, -1)

    return np.stack(list(in_threads(one, images_nhwc)))


def looks_whole(head: bytes, tail: bytes) -> bool:
    """Whether the first 16 and last 64 bytes are those of a whole JPEG, PNG or WebP file."""
    if head[:4] == b"RIFF":
        return head[8:12] == b"WEBP"
    return any(head.startswith(start) and end in tail for start, end in ENDS.items())


def decode_all(
    decode_one: Callable[[int], np.ndarray], count: int, side: int, channels: int
) -> tuple[np.ndarray, dict[int, str]]:
    """Decode `count` images in threads into one uint8[N, side, side, C]; also {index: reason} of bad ones."""
    images = np.zeros((count, side, side, channels), np.uint8)

    def fill(index: int) -> None:
        images[index] = decode_one(index)

    return images, attempt(fill, count)


def attempt(action: Callable[[int], None], count: int) -> dict[int, str]:
    """Run `action` on 0..count-1 in threads; return {index: reason} of those that raised."""

    def run(chunk: range) -> list[tuple[int, str]]:
        failed = []
        for index in chunk:
            try:
                action(index)
            except Exception as error:  # noqa: BLE001 - Pillow raises nearly anything on damaged data
                failed.append((index, f"{type(error).__name__}: {error}"))
        return failed

    chunks = [range(start, min(start + 64, count)) for start in range(0, count, 64)]
    return {index: reason for failed in in_threads(run, chunks) for index, reason in failed}


def in_threads(function: Callable, items: Iterable) -> Iterator:
    """Map in order over one thread per core; Pillow releases the interpreter while it decodes."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(function, items)
