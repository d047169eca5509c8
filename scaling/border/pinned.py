"""Files that a config names, pinned by a digest: a run computes something else when their content changes."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

WEIGHTS = ".safetensors"  # what tells a file of weights from a name of `scaling.from_pretrained`
DIGITS = 12
PINNED = re.compile(rf"(.+)@([0-9a-f]{{{DIGITS}}})", re.DOTALL)


def digest(content: bytes) -> str:
    """The first twelve hex digits of a content's SHA-256."""
    return hashlib.sha256(content).hexdigest()[:DIGITS]


def split(name: str) -> tuple[str, str]:
    """A file's path and its digest ("" where not pinned); directories may have an @ in their names."""
    pinned = PINNED.fullmatch(name)
    return (pinned[1], pinned[2]) if pinned else (name, "")


def pin_weights(init: str) -> str:
    """Return "file.safetensors@digest"; names that are no file, or pinned already, stay as they are.

    ValueError where the file cannot be read.
    """
    return f"{init}@{digest(_content(init, init))}" if init.endswith(WEIGHTS) else init


def is_weights(init: str) -> bool:
    """Whether `init` names a file of weights, pinned or not."""
    return split(init)[0].endswith(WEIGHTS)


def weights_path(init: str) -> Path:
    """The path of a pinned file of weights; ValueError where its content is no longer what was pinned."""
    path, told = split(init)
    found = digest(_content(path, init))
    if told and told != found:
        raise ValueError(
            f"config.model.init={init!r}: the file has changed, its content is now @{found}, so this is another run: "
            f"put the file back, or name it {path} for a new run."
        )
    return Path(path)


def _content(path: str, init: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(
            f"config.model.init={init!r}: {path} cannot be read ({error.strerror}): name a file that scaling.save "
            "wrote by its path from the directory of the command, or weights of scaling.from_pretrained."
        ) from error
