"""A live line for each running trial on a terminal, told from the journals that the trials write."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from scaling.border.lines import unseal
from scaling.reports.units import duration
from scaling.runs.duration import Duration
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import LOG, METRICS, NETWORK
from scaling.sweeps.run import UnderWay

TAIL = 1 << 14  # bytes of a journal that hold its newest lines
SLACK = 1.0  # seconds by which a file system's clock may be behind
UP, CLEAR = "\x1b[{}A", "\x1b[J"


class Board:
    """Lines that stay at the end of a terminal, and other lines above them."""

    def __init__(self, stream: TextIO):
        self._stream, self._lines = stream, []

    def say(self, text: str) -> None:
        """Print a line for good."""
        self._draw([text], self._lines)

    def show(self, lines: Sequence[str]) -> None:
        """Have these lines in the place of the last ones, each cut to the terminal's width."""
        if list(lines) != self._lines:
            self._draw([], list(lines))

    def _draw(self, above: list[str], lines: list[str]) -> None:
        back = UP.format(len(self._lines)) if self._lines else ""
        width = shutil.get_terminal_size().columns - 1
        text = "".join(f"{line}\n" for line in [*above, *(line[:width] for line in lines)])
        print(f"\r{back}{CLEAR}{text}", end="", file=self._stream, flush=True)
        self._lines = lines


class Watcher:
    """Shows on a board how far each trial under way has come; one that has not begun has no line."""

    def __init__(self, board: Board, now: Callable[[], float] = time.time):
        self._board, self._now, self._started = board, now, now()
        self._first: dict[str, tuple[float, int]] = {}  # when which step of a run was seen first
        self._last: dict[str, tuple[float, int]] = {}

    def __call__(self, under_way: UnderWay) -> None:
        told = ((trial, self._state(trial.spec, directory)) for trial, directory in under_way)
        self._board.show([f"{trial.spec.id}  {state}  {trial.label}" for trial, state in told if state])

    def _state(self, spec: RunSpec, directory: Path) -> str:
        """What a trial does: "starting", "compiling", or its step, values and time left; "" for nothing."""
        if not self._is_new(directory / LOG):
            return ""
        newest = newest_lines(directory / METRICS) if self._is_new(directory / METRICS) else {}
        if "train" not in newest:
            return "compiling" if self._is_new(directory / NETWORK) else "starting"
        step, total = newest["train"]["step"], total_steps(spec, newest["train"])
        parts = [f"step {step}/{total}", *(_values(split, newest[split]) for split in newest)]
        if left := self._seconds_left(spec.id, step, total):
            parts.append(f"{duration(left)} left")
        return "  ".join(parts)

    def _is_new(self, path: Path) -> bool:
        """Whether a file was written since the watch began, and is not of an earlier attempt."""
        try:
            return path.stat().st_mtime >= self._started - SLACK
        except OSError:
            return False

    def _seconds_left(self, run: str, step: int, total: int) -> float | None:
        """By the pace from the first step that was seen to the newest; None before there are two."""
        now = self._now()
        since, first = self._first.setdefault(run, (now, step))
        if self._last.get(run, (now, -1))[1] != step:
            self._last[run] = now, step
        seen = self._last[run][0]
        return (
            max(0.0, (seen - since) / (step - first) * (total - step) - (now - seen))
            if step > first
            else None
        )


def newest_lines(path: Path) -> dict[str, dict[str, Any]]:
    """The newest sound line of each split at the end of a journal, train first."""
    found: dict[str, dict[str, Any]] = {}
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return found
    for line in lines:
        try:
            values = unseal(line)
            found[values["split"]] = values
        except (ValueError, KeyError):  # the first is cut off by the tail, the last perhaps half written
            continue
    return dict(sorted(found.items(), key=lambda item: item[0] != "train"))


def total_steps(spec: RunSpec, line: dict[str, Any]) -> int:
    """How many steps a run has, by the step and epoch of a line of its journal."""
    epochs = line["epoch"]
    return Duration.parse(spec.train.duration).steps(round(line["step"] / epochs) if epochs else line["step"])


def _values(split: str, line: dict[str, Any]) -> str:
    """The loss of training, the first value of anything else."""
    known = [name for name in line if name not in ("step", "epoch", "split") and line[name] is not None]
    name = next((name for name in known if (name == "loss") == (split == "train")), None)
    where = "" if split == "train" else f"{split} "
    return f"{where}{name} {line[name]:.4g}" if name else f"{where}values that are not finite"
