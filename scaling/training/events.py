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
            from tensorboard.compat.proto import event_pb2, summary_pb2
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError:
            self._writer = None
            return
        self._writer = EventFileWriter(str(directory))
        # The messages' classes are made when protobuf reads its descriptors: no checker sees them.
        self._event, self._summary = vars(event_pb2)["Event"], vars(summary_pb2)["Summary"]
        log = vars(event_pb2)["SessionLog"]
        self._add(start_step, session_log=log(status=log.START))

    def hyperparameters(self, values: dict[str, Any]) -> None:
        """Tell the HParams page what a run is made of: numbers, flags and texts, all else as text."""
        if self._writer is None:
            return
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        plain = {key: v if isinstance(v, (bool, int, float, str)) else str(v) for key, v in values.items()}
        self._add(0, summary=hparams_pb(plain))

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Write {"split/name": value} at a step."""
        if self._writer is None:
            return
        tagged = [self._summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._add(step, summary=self._summary(value=tagged))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _add(self, step: int, **what: Any) -> None:
        assert self._writer is not None
        self._writer.add_event(self._event(wall_time=time.time(), step=step, **what))
