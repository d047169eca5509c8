"""What a person sees while a run trains: a bar on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from typing import Protocol, TextIO

LINE_SECONDS = 5.0


class Reporter(Protocol):
    """Shows progress; the loop calls nothing else."""

    def line(self, text: str) -> None: ...

    def progress(self, step: int, total: int, note: str) -> None: ...

    def close(self) -> None: ...


class Lines:
    """Plain lines that begin with the time, a progress line every few seconds at most."""

    def __init__(self, stream: TextIO):
        self._stream, self._last = stream, 0.0

    def line(self, text: str) -> None:
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}", file=self._stream, flush=True)

    def progress(self, step: int, total: int, note: str) -> None:
        if step == total or time.monotonic() - self._last >= LINE_SECONDS:
            self._last = time.monotonic()
            self.line(f"step {step}/{total}  {note}")

    def close(self) -> None:
        pass


class Bar:
    """A tqdm bar, with other lines above it."""

    def __init__(self, stream: TextIO):
        from tqdm import tqdm

        self._tqdm, self._stream, self._bar = tqdm, stream, None

    def line(self, text: str) -> None:
        self._tqdm.write(text, file=self._stream)

    def progress(self, step: int, total: int, note: str) -> None:
        if self._bar is None:
            self._bar = self._tqdm(
                total=total, initial=step, file=self._stream, unit="step", dynamic_ncols=True
            )
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(step - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class Silent:
    """Nothing: for processes other than the first, and for tests."""

    def line(self, text: str) -> None:
        pass

    def progress(self, step: int, total: int, note: str) -> None:
        pass

    def close(self) -> None:
        pass


def make_reporter(stream: TextIO | None = None) -> Reporter:
    """Return a bar where `stream` (None: stderr) is a terminal and tqdm installed, plain lines otherwise."""
    shown = sys.stderr if stream is None else stream  # as it is now, not as it was at the import
    if shown.isatty():
        try:
            return Bar(shown)
        except ImportError:
            pass
    return Lines(shown)
