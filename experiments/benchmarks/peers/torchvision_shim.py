"""Let torchvision, which timm needs, be imported where its compiled operators do not load.

timm's networks use none of those operators; torchvision only wants their names to exist.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
from pathlib import Path
from typing import Any

import torch

NAMES = re.compile(r'register_meta\("(\w+)"|torchvision::(\w+)')
_kept: list[Any] = []  # a torch Library takes its definitions away when it is dropped


def make_importable() -> None:
    """Define torchvision's operators by name only; do nothing where its own library loads."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None or _kept:
        return
    folder = Path(found.origin).parent
    if not _loads(folder):
        _define((folder / "_meta_registrations.py").read_text())


def _loads(folder: Path) -> bool:
    try:
        return bool([ctypes.CDLL(str(file)) for file in folder.glob("_C.*")])
    except OSError:
        return False


def _define(source: str) -> None:
    library = torch.library.Library("torchvision", "DEF")
    _kept.append(library)
    for name in sorted({first or second for first, second in NAMES.findall(source)}):
        library.define(f"{name}(Tensor a) -> Tensor")
