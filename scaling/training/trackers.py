"""Runs told to W&B, MLflow and Trackio, where a config's `train.trackers` names them; none stops a run.

Where each of them is, its own environment variables say: `WANDB_MODE`, `MLFLOW_TRACKING_URI`, `TRACKIO_DIR`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

Say = Callable[[str], None]
PROJECT = "jax-compound"  # of runs that no environment variable gives another
MOST_PARAMS = 100  # that MLflow takes at once


class Told(NamedTuple):
    """What a tracker is told of a run when it starts: id, a name for people, directory, config's keys."""

    id: str
    name: str
    directory: Path
    config: Mapping[str, Any]


class Tracker(Protocol):
    """One run in a tracker; the call that starts it returns it. Any of these may raise."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Tell {"split/name": value} at a step."""
        ...

    def finish(self, summary: Mapping[str, float]) -> None:
        """Tell the last values, and that the run has ended."""
        ...


class WeightsAndBiases:
    def __init__(self, told: Told):
        import wandb  # pyright: ignore[reportMissingImports]

        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            id=told.id,
            name=told.name,
            dir=str(told.directory),
            config=dict(told.config),
            resume="allow",
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def finish(self, summary: Mapping[str, float]) -> None:
        self._run.summary.update(dict(summary))
        self._run.finish()


class MLflow:
    def __init__(self, told: Told):
        from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]
        from mlflow.entities import Param  # pyright: ignore[reportMissingImports]

        self._client = MlflowClient()
        project = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        known = self._client.get_experiment_by_name(project)
        experiment = known.experiment_id if known else self._client.create_experiment(project)
        self._id = self._client.create_run(experiment, tags={"run": told.id}, run_name=told.name).info.run_id
        params = [Param(key, str(value)) for key, value in told.config.items()]
        for i in range(0, len(params), MOST_PARAMS):
            self._client.log_batch(self._id, params=params[i : i + MOST_PARAMS])

    def log(self, step: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric  # pyright: ignore[reportMissingImports]

        now = int(1000 * time.time())
        self._client.log_batch(self._id, [Metric(key, value, now, step) for key, value in values.items()])

    def finish(self, summary: Mapping[str, float]) -> None:
        self.log(0, summary)
        self._client.set_terminated(self._id)


class Trackio:
    def __init__(self, told: Told):
        import trackio  # pyright: ignore[reportMissingImports]

        project = os.environ.get("TRACKIO_PROJECT", PROJECT)
        self._run = trackio.init(project, name=f"{told.name} {told.id}", config=dict(told.config))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def finish(self, summary: Mapping[str, float]) -> None:
        self._run.log(dict(summary))
        self._run.finish()


TRACKERS: dict[str, Callable[[Told], Tracker]] = {
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
    "trackio": Trackio,
}


class Trackers:
    """The trackers of a run. One that fails is left out from then on, with one line that says so."""

    def __init__(self, names: Sequence[str], told: Told, say: Say):
        self._say = say
        self._live: dict[str, Tracker] = {}
        for name in names:
            self._try(name, lambda name=name: self._live.__setitem__(name, TRACKERS[name](told)))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Tell values at a step to those that still listen."""
        for name, tracker in list(self._live.items()):
            self._try(name, lambda tracker=tracker: tracker.log(step, values))

    def finish(self, summary: Mapping[str, float] | None = None) -> None:
        """End all of them, with the last values where there are any; a second call does nothing."""
        for name, tracker in list(self._live.items()):
            self._try(name, lambda tracker=tracker: tracker.finish(summary or {}))
        self._live.clear()

    def _try(self, name: str, act: Callable[[], None]) -> None:
        try:
            act()
        except ModuleNotFoundError:
            self._leave_out(name, f"pip install 'jax-compound[{name}]'")
        except Exception as error:  # noqa: BLE001 - whatever a tracker meets, the run goes on
            self._leave_out(name, (str(error).strip() or type(error).__name__).splitlines()[0])

    def _leave_out(self, name: str, why: str) -> None:
        self._live.pop(name, None)
        self._say(f"warning: tracker {name!r} is left out: {why}")
