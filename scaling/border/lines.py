"""Lines of JSON that state their own checksum, so that a flipped digit is never believed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from scaling.border.files import parse_json

SEAL = "crc"  # the last key of a line: CRC-32, in hex, of the line as it is without the key


def seal(values: Mapping[str, Any]) -> str:
    """Return one line of JSON, without its end, that ends with its checksum."""
    text = json.dumps(values, allow_nan=False)
    start = text[:-1] + (", " if values else "")
    return f'{start}"{SEAL}": "{_crc(text)}"}}'


def unseal(line: str) -> dict[str, Any]:
    """Read such a line, or one from before there were checksums; ValueError where it is damaged."""
    values = parse_json(line)
    if not isinstance(values, dict):
        raise ValueError(f"it is no object of named fields but {type(values).__name__}")  # noqa: TRY004
    told = values.pop(SEAL, None)
    if told is not None and line.strip() != seal(values):
        raise ValueError("its checksum differs, so it is damaged")
    return values


def _crc(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"
