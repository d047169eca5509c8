"""What a run was estimated to take before it began: a file of its directory, and fields of its row."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaling.border.files import read_json, write_json
from scaling.border.typed import check_fields
from scaling.runs.workdir import ESTIMATE


@dataclass(frozen=True)
class Estimate:
    """Of a run: seconds as its row's `seconds`, and bytes as its row's `peak_memory`."""

    seconds: float
    memory: int


def keep(estimate: Estimate, directory: Path) -> None:
    """Write what a run is estimated to take into its directory, which need not be there."""
    write_json(directory / ESTIMATE, dataclasses.asdict(estimate))


def estimated(directory: Path) -> dict[str, Any]:
    """The row's fields of what was kept; none where nothing was, or it cannot be read: it decides nothing."""
    try:
        values = read_json(directory / ESTIMATE)
        check_fields(Estimate, values, ESTIMATE)
        kept = Estimate(**values)
    except (ValueError, TypeError, OSError, RecursionError):
        return {}
    return {"estimated_seconds": kept.seconds, "estimated_memory": kept.memory}
