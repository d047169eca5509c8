"""What a task says of a picture of which nothing else is known: a line, lines of a table, pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scaling.arch.arch import Sized
from scaling.runs.spec import TrainSpec

ALL = 10**6  # classes or things


@dataclass(frozen=True)
class Said:
    """Of one picture: a `line` to read, `rows` under the answer's columns, and pictures by what to call them.

    A picture is uint8 (h, w, 3) or a map (h, w) of uint8 or uint16; the one called "" is the answer itself.
    """

    line: str
    rows: Sequence[tuple[Any, ...]]
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """The functions from a network's outputs to what is said.

    `see(outputs, inputs, spec, arch)` runs on the device, "image" being the only input, and gives an array
    (n, ...) a name. `say(pixels_hwc, seen, class_names, most)` is of one picture, uint8 of its own size, and
    of so many classes or things at most, `most` where nobody says. Where a network takes pictures of any size
    as they are (`whole`), it is given each by itself, in fractions of 255.
    """

    columns: tuple[str, ...]
    see: Callable[[Any, dict[str, Any], TrainSpec, Sized], dict[str, Any]]
    say: Callable[[np.ndarray, dict[str, Any], Sequence[str], int], Said]
    most: int = ALL
    whole: bool = False


def likeliest(pixels_hwc: np.ndarray, seen: dict[str, Any], class_names: Sequence[str], most: int) -> Said:
    """The likeliest classes of a picture, with their probabilities."""
    del pixels_hwc
    best = np.argsort(-seen["probability"], kind="stable")[:most]
    found = [(class_names[i], float(seen["probability"][i])) for i in best]
    rows = [(rank, name, f"{share:.6f}") for rank, (name, share) in enumerate(found, start=1)]
    return Said(", ".join(f"{name} {100 * share:.1f} %" for name, share in found), rows)
