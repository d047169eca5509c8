"""TensorBoard event files, by the `tensorboard` package and without TensorFlow."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any


class Events:
    """Appends scalars to an event file; does nothing where `tensorboard` is not installed.

    A resumed run tells TensorBoard to forget what an earlier attempt wrote past `start_step`.
    """

    def __init__(self, directory: Path, start_step: int):
        try:
            from tensorboard.compat.proto import event_pb2
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError:
            self._writer = None
            return
        self._event = event_pb2.Event
        self._writer = EventFileWriter(str(directory))
        restart = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._add(start_step, session_log=restart)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Write {"split/name": value} at a step."""
        if self._writer is None:
            return
        from tensorboard.compat.proto import summary_pb2

        tagged = [summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._add(step, summary=summary_pb2.Summary(value=tagged))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _add(self, step: int, **what: Any) -> None:
        assert self._writer is not None
        self._writer.add_event(self._event(wall_time=time.time(), step=step, **what))
