"""Files that are there whole or not at all, and JSON from disk, which may hold anything."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from typing import Any

from scaling.border.disk import naming, sync

LARGEST_JSON = 2**26  # bytes: a thousand times what any of our files holds


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write so that a reader sees the old file or the whole new one, also after a power cut.

    Text is written as UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
    try:
        with naming(path), open(temporary, "xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> Any:
    """Read a JSON file; OSError where it cannot be opened, ValueError where it is damaged or too large."""
    with open(path, "rb") as file:
        text = file.read(LARGEST_JSON + 1)
    return parse_json(text)


def parse_json(text: str | bytes) -> Any:
    """Read JSON; ValueError for what is none, more than LARGEST_JSON, or nested without end."""
    if len(text) > LARGEST_JSON:
        raise ValueError(f"it holds more than {LARGEST_JSON} bytes")
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write_json(path: Path, value: object) -> None:
    """Write readable JSON atomically."""
    write_atomically(path, json.dumps(value, indent=1) + "\n")
