"""From any picture to a network's input as its weights expect it: a record that travels with them.

The modes and their arithmetic are those of timm's evaluation transform, so that published accuracies hold.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scaling.arch.fields import LATER
from scaling.border.typed import check_fields, nearest
from scaling.data.per_image import NORMALISED, normalised
from scaling.data.photos import MODES, seen

CROP_MODES = ("center", "squash", "border")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")  # Pillow's filters


@dataclass(frozen=True)
class Preprocessing:
    """Resize, crop the centre, normalise.

    `side` of the network's input in pixels; `crop` = side / resized side, a fraction of lengths, not of
    the area; `crop_mode` says what is resized to side / crop pixels: "center" the shorter edge, "squash" both
    edges, "border" the longer edge (the rest is filled with the mean colour). `interpolation` is a filter
    of Pillow's. `mean` and `std` per channel (one or three), of pixels in [0, 1]; with `per_image`, a name of
    `scaling.data.per_image`, each image is normalised by its own values instead.
    """

    side: int
    crop: float = 0.875
    crop_mode: str = "center"
    interpolation: str = "bicubic"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    per_image: str = field(default="", metadata=LATER)

    def __post_init__(self):
        for name in ("mean", "std"):
            object.__setattr__(self, name, tuple(float(value) for value in getattr(self, name)))
        _check(self)

    def apply(self, image: Any) -> np.ndarray:
        """Return float32[side, side, C] of a Pillow image or of uint8[H, W, C] (or [H, W], grey).

        A Pillow image is converted to the record's channels, as `scaling.data.photos.decode` does.
        """
        pixels = self._crop(self._resize(_opened(image, MODES[len(self.mean)])))
        x_hwc = np.asarray(pixels, np.float32).reshape(self.side, self.side, len(self.mean))
        if self.per_image:
            return normalised(x_hwc, self.per_image)
        # Divided in this order and in float32, so that values equal the peer's to the bit.
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        return (x_hwc / np.float32(255) - mean) / std

    def _resize(self, image: Any) -> Any:
        from PIL import Image

        target, (width, height) = math.floor(self.side / self.crop), image.size
        size = (target, target)
        if self.crop_mode == "center":
            longer = int(target * max(width, height) / min(width, height))
            size = (target, longer) if width <= height else (longer, target)
        elif self.crop_mode == "border":
            ratio = max(width / target, height / target)
            size = (max(1, round(width / ratio)), max(1, round(height / ratio)))
        return image.resize(size, Image.Resampling[self.interpolation.upper()])

    def _crop(self, image: Any) -> Any:
        """Cut the centre square out, after filling up what is smaller: with the mean colour or black."""
        from PIL import Image

        colour = [round(255 * value) if self.crop_mode == "border" else 0 for value in self.mean]
        size = (max(self.side, image.width), max(self.side, image.height))
        if size != image.size:
            filled = Image.new(image.mode, size, tuple(colour) if len(colour) > 1 else colour[0])
            filled.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
            image = filled
        left, top = (round((length - self.side) / 2) for length in image.size)
        return image.crop((left, top, left + self.side, top + self.side))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able value; `Preprocessing.from_dict` reads it back."""
        told = {**dataclasses.asdict(self), "mean": list(self.mean), "std": list(self.std)}
        return told if self.per_image else {name: told[name] for name in told if name != "per_image"}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Preprocessing:
        """Build from `to_dict`'s value; ValueError for an unknown or missing field."""
        if not isinstance(data, Mapping):
            raise ValueError(f"preprocessing is an object of named fields, not {type(data).__name__}.")  # noqa: TRY004
        known = [entry.name for entry in dataclasses.fields(Preprocessing)]
        for name in data:
            if name not in known:
                raise ValueError(
                    f"Preprocessing has no field {name!r}{nearest(name, known) or '.'} It has {known}."
                )
        if "side" not in data:
            raise ValueError(f"Preprocessing needs side, the input's side in pixels; given: {sorted(data)}.")
        check_fields(Preprocessing, data, "preprocessing")
        return Preprocessing(**data)


def _opened(image: Any, mode: str) -> Any:
    """A Pillow image of `mode`; an array must be uint8 of that very number of channels."""
    from PIL import Image

    if isinstance(image, Image.Image):
        return seen(image, mode)
    array = np.asarray(image)
    grey = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    good = grey.ndim == 2 if mode == "L" else array.ndim == 3 and array.shape[2] == 3
    if not good or array.dtype != np.uint8 or array.size == 0:
        raise ValueError(
            f"an image of dtype {array.dtype} and shape {array.shape} is not uint8[H, W, {1 if mode == 'L' else 3}]: "
            "give pixels in 0..255, channels last, or a Pillow image."
        )
    return Image.fromarray(np.ascontiguousarray(grey if mode == "L" else array))


def _check(record: Preprocessing) -> None:
    channels, pixels = len(record.mean), isinstance(record.side, int) and record.side >= 1
    rules = {
        "side": (pixels, "an integer of at least 1 (pixels)"),
        "crop": (pixels and 0 < record.crop <= record.side, "above 0 and at most the side"),
        "crop_mode": (record.crop_mode in CROP_MODES, f"one of {', '.join(CROP_MODES)}"),
        "interpolation": (record.interpolation in INTERPOLATIONS, f"one of {', '.join(INTERPOLATIONS)}"),
        "per_image": (record.per_image in ("", *NORMALISED), f"empty or one of {', '.join(NORMALISED)}"),
        "mean": (channels in MODES, "one or three numbers, of pixels in [0, 1]"),
        "std": (len(record.std) == channels and min(record.std) > 0, f"{channels} number(s) above 0"),
    }
    for name, (good, rule) in rules.items():
        if not good:
            raise ValueError(f"preprocessing: {name}={getattr(record, name)!r} must be {rule}.")
