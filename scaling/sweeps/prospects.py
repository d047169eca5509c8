"""What can be known of trials before a process starts: their plans, or what each is refused for."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from scaling import tasks
from scaling.data import Dataset
from scaling.data.dataset import listed, opened
from scaling.runs.resolve import resolve
from scaling.runs.spec import AugmentSpec, DataSpec, RunSpec
from scaling.sweeps.expand import Trial
from scaling.training.plan import Plan, make_plan

SIDE = 32  # of images that a source reads to list them: any would do, and a small one takes little memory


@dataclass(frozen=True)
class Prospect:
    """A trial with its plan, on data that is listed and not read; None where `refusal` says why."""

    trial: Trial
    plan: Plan | None
    refusal: str = ""


def check(trials: Sequence[Trial]) -> None:
    """Raise ValueError where a trial's network cannot be, or the first one's data is not there.

    Takes no device, and reads no image.
    """
    for model, trial in {trial.spec.model: trial for trial in reversed(trials)}.items():
        try:
            resolve(model, num_classes=2, in_channels=1)
        except (KeyError, ValueError) as error:
            raise ValueError(f"trial {trial.label} cannot be run: {error.args[0]}") from error
    for trial in trials[:1]:
        opened(trial.spec.data, trial.spec.augment, SIDE, tasks.named(trial.spec.task).fields)


def prospects(trials: Sequence[Trial]) -> Iterator[Prospect]:
    """Yield the prospect of each trial; seeds share a plan, all of one data its listing."""
    of = functools.cache(functools.partial(_plan_or_refusal, functools.cache(_listed)))
    for trial in trials:
        found = of(dataclasses.replace(trial.spec, seed=0))
        yield Prospect(trial, None, found) if isinstance(found, str) else Prospect(trial, found)


def _plan_or_refusal(read: Callable[[DataSpec, str], Dataset], spec: RunSpec) -> Plan | str:
    try:
        return make_plan(spec, read(spec.data, spec.task))
    except (KeyError, ValueError) as error:
        return str(error.args[0])


def _listed(data: DataSpec, task: str) -> Dataset:
    return listed(data, AugmentSpec(), SIDE, tasks.named(task).fields)
