"""How a task shows what a network answered: what of each example, how good the answer is, and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling.arch.arch import Sized
from scaling.runs.spec import TrainSpec

# Fields of examples, or what became of them: "image" is the network's input
Fields = dict[str, Any]


@dataclass(frozen=True)
class Pictures:
    """The functions from a network's outputs to pictures.

    `see(outputs, inputs, spec, arch)` runs on the device and gives an array (n, ...) a name: all that the
    others need of an example beside its pixels. `score(seen)` says how good the answer to one example is,
    larger is better. `panels(pixels_hwc, seen, class_names)` are its pictures by caption, uint8 (h, w, 3);
    pixels are those of the data, uint8. With `sheet` that many answers stand side by side, as they come,
    instead of the best, the median and the worst."""

    see: Callable[[Any, Fields, TrainSpec, Sized], Fields]
    score: Callable[[Fields], float]
    panels: Callable[[np.ndarray, Fields, Sequence[str]], dict[str, np.ndarray]]
    sheet: int = 0
