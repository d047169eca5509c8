"""Marks of a value's fields: which count channels, which layers or pixels, which came later."""

from __future__ import annotations

import dataclasses
from typing import Any

# Marks a field that counts channels: `field(metadata=WIDTH)`. Width scaling reaches it.
WIDTH = {"width": True}
# Marks one that counts layers: depth scaling reaches it, and leaves the stage's repeats alone.
DEPTH = {"depth": True}
# Marks one that counts pixels along a side of a grid, or the values of a window.
SIDE = {"side": True}
# Marks a field that came later: JSON leaves it out at its default, so that older texts and ids stay.
LATER = {"later": True}


def marked(value: Any, mark: dict[str, bool]) -> tuple[str, ...]:
    """Return the names of a dataclass's fields that have a mark."""
    return tuple(f.name for f in dataclasses.fields(value) if mark.items() <= f.metadata.items())
