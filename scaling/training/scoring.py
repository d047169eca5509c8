"""A finished run on a split of data, by its task's own evaluation: metrics and a sheet of pictures."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from scaling.data.dataset import Dataset, hold, load, open_source
from scaling.runs.resolve import resolve
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import CHECKPOINTS, NETWORK, recorded
from scaling.tasks import named
from scaling.training import checkpoints, pictures
from scaling.training.evaluate import Scores
from scaling.training.parallel import choose_devices
from scaling.training.plan import make_plan
from scaling.training.runtime import Runtime
from scaling.training.state import models


@dataclass(frozen=True)
class Scored:
    """The scores of each of a run's models, "raw" and "ema", and of how many examples at which step."""

    models: dict[str, Scores]
    examples: int
    step: int
    problems: tuple[str, ...]


def score(workdir: Path, spec: RunSpec, split: str | None = None, sheet: Path | None = None) -> Scored:
    """Return the scores of a run's newest checkpoint.

    `spec` is the run's, on its own data or other data laid out alike; `split` names a split or a part of one
    (None: the test split, else the validation split). Writes the task's pictures to `sheet`. ValueError where
    there is no checkpoint, or the data has other classes than the run's.
    """
    runtime = Runtime(make_plan(_untrained(spec), _dataset(workdir, spec, split)))
    dataset = runtime.plan.dataset
    restored = checkpoints.restore(workdir / CHECKPOINTS, runtime.first_state(), repair=False)
    if restored is None:
        raise ValueError(f"{workdir} holds no intact checkpoint: run its training again.")
    state = restored[0]
    found = runtime.evaluate(models(runtime.to_devices(state)), dataset.validation)
    if sheet is not None:
        pictures.save(sheet, runtime, state, dataset.validation)
    return Scored(found, len(dataset.validation), int(state.step), dataset.validation.problems)


def _untrained(spec: RunSpec) -> RunSpec:
    """The spec without what training alone asks of the data: the least batch, of any classes."""
    devices = len(choose_devices(spec.train.devices))
    mixed = bool(spec.augment.mixup or spec.augment.cutmix)
    train = dataclasses.replace(spec.train, batch=devices * (1 + mixed), accumulate=1, per_class=0)
    return dataclasses.replace(spec, model=dataclasses.replace(spec.model, init=""), train=train)


def _dataset(workdir: Path, spec: RunSpec, split: str | None) -> Dataset:
    """The split as all of a data set, with the classes and the statistics of the run."""
    data, fields = spec.data, named(spec.task).fields
    side = resolve(spec.model, 2, 1)[0].resolution
    name = split or data.test or data.validation
    if name:
        source = open_source(data, spec.augment, side, fields)
        source.check(name)
        held, classes = hold(source.read(name), data, name), source.class_names
        channels = source.in_channels
    else:
        whole = load(data, spec.augment, side, fields)
        held, classes, channels = whole.validation, whole.class_names, whole.in_channels
    record = recorded(workdir, NETWORK)
    known, told = tuple(record.get("classes") or classes), record["preprocessing"]
    if told is None:
        raise ValueError(f"{workdir}: its network takes no pictures, as its images have {channels} channels.")
    if classes != known:
        raise ValueError(
            f"the data has the classes {', '.join(classes)}, the run was trained on {', '.join(known)}: give data "
            "with the same classes, in the same order."
        )
    mean, std = tuple(told["mean"]), tuple(told["std"])
    return Dataset(data.name or data.source, classes, channels, held, held, lambda: held, mean, std)
