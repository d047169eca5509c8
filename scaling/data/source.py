"""What every source of images is: names, and a function that reads one split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scaling.data.splits import Split


@dataclass(frozen=True)
class Source:
    """An opened data set; labels index `class_names`.

    `check(split)` raises ValueError where the set has no such split; `read(split)` reads that split
    and nothing else. All splits must have images of one side, unless they need not (`one_side`).
    """

    name: str
    class_names: tuple[str, ...]
    in_channels: int
    check: Callable[[str], object]
    read: Callable[[str], Split]
    one_side: bool = True
