"""Run the groups of a section: start the contenders, alternate, make a row of ours and each peer."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import scaling.zoo
from experiments.benchmarks.alternate import Outcome, Spread, alternate, ratio
from experiments.benchmarks.contenders import Contender, Fresh, Process
from experiments.benchmarks.plan import Group, Machine, Options
from experiments.benchmarks.roofline import PASSES, shares
from experiments.benchmarks.rows import Measurement
from experiments.benchmarks.tasks import Job, Operator, Step, Task
from scaling.cost.counting import count

OURS, WARM = "ours", "ours, warm cache"
FEW = 3  # rounds where each is long (a compilation) or hardly varies (a peak)
BYTES = {"float32": 4, "bfloat16": 2}


@dataclass
class Races:
    """Runs groups; steps once timed are not run again for their memory."""

    options: Options
    machine: Machine
    environment: dict[str, Any]
    done: dict[tuple[Task, str], Outcome] = field(default_factory=dict)

    def run(self, group: Group) -> Iterator[Measurement]:
        """Yield the rows of every task of a group."""
        if all((task, label) in self.done for task in group.tasks for label in group.contenders):
            for task in group.tasks:
                yield from self._rows(group, task, {c: self.done[task, c] for c in group.contenders})
            return
        with tempfile.TemporaryDirectory() as cache:
            contenders = [self._contender(group, label, cache) for label in group.contenders]
            try:
                for index, task in enumerate(group.tasks):
                    few = group.fresh or group.unit == "bytes"
                    repeats = min(FEW, self.options.repeats) if few else self.options.repeats
                    outcomes = alternate(contenders, index, repeats, group.warmups)
                    self.done |= {(task, label): outcome for label, outcome in outcomes.items()}
                    yield from self._rows(group, task, outcomes)
            finally:
                for contender in contenders:
                    contender.close()

    def _contender(self, group: Group, label: str, cache: str) -> Contender:
        job = Job(label, group.tasks, self.machine.cores, cache if label == WARM else "")
        process = Process(job, self.options.limit)
        return Fresh(process, primed=label == WARM) if group.fresh else process

    def _rows(self, group: Group, task: Task, outcomes: dict[str, Outcome]) -> Iterator[Measurement]:
        ours = self._with_shares(task, outcomes[OURS])
        for label in group.contenders[1:]:
            row = compare(group, task, label, ours, self._with_shares(task, outcomes[label]))
            yield dataclasses.replace(row, environment=self.environment)

    def _with_shares(self, task: Task, outcome: Outcome) -> Outcome:
        """Add the shares of a GPU's peaks, where they are known."""
        if outcome.status != "ok" or not self.machine.has_gpu or not isinstance(task, Step | Operator):
            return outcome
        macs, traffic = work(task, outcome.facts)
        found = shares(self.machine.device_kind, Spread.of(outcome.seconds).median, macs, traffic)
        return dataclasses.replace(outcome, facts=outcome.facts | found)


def compare(group: Group, task: Task, peer: str, ours: Outcome, theirs: Outcome) -> Measurement:
    """Return the row of ours against one peer; medians of those that ran, a note for those that did not."""
    problems = {OURS: ours, peer: theirs}
    notes = [f"{label} {o.problem}" for label, o in problems.items() if o.problem]
    failed = any(outcome.status == "failed" for outcome in problems.values())
    fields: dict[str, Any] = {
        "status": "failed" if failed else ("skipped" if notes else "ok"),
        "note": "; ".join(notes),
        "ours_facts": ours.facts,
        "theirs_facts": theirs.facts,
    }
    values = {"ours": _values(group.unit, ours), "theirs": _values(group.unit, theirs)}
    spreads = {name: Spread.of(found) for name, found in values.items() if found}
    if len(spreads) == 2:
        spreads["ratio"] = ratio(values["ours"], values["theirs"])
    for name, spread in spreads.items():
        fields |= {name: spread.median, f"{name}_quartiles": (spread.low, spread.high)}
    return Measurement(
        group.section,
        task.model,
        task.case,
        task.mode,
        peer,
        group.unit,
        task.batch,
        task.resolution,
        task.dtype,
        repeats=max(map(len, values.values())),
        times=getattr(task, "times", 1),
        **fields,
    )


def _values(unit: str, outcome: Outcome) -> Sequence[float]:
    if unit == "bytes":
        return [outcome.facts["peak_bytes"]] if outcome.status == "ok" else []
    return outcome.seconds


def work(task: Step | Operator, facts: dict[str, Any]) -> tuple[float, float | None]:
    """Return the multiply-adds of one call and the bytes it moves, at least (None: not known).

    A step's traffic is XLA's estimate; an operator's is each input, output and gradient once.
    """
    if isinstance(task, Step):
        macs = count(scaling.zoo.get(task.model).replace(resolution=task.resolution)).macs
        return PASSES[task.mode] * task.batch * macs, facts.get("bytes_accessed")
    out = math.ceil(task.side / task.stride)
    image, result = (
        task.side**2 * task.channels,
        out**2 * (task.channels if task.op == "se" else task.features),
    )
    taps = task.kernel**2 * task.channels // task.groups
    macs = 0 if task.op in ("norm", "se") else result * taps
    tensors = image + result if task.mode == "forward" else 3 * (image + result) - result
    return PASSES[task.mode] * task.batch * macs, task.batch * tensors * BYTES[task.dtype]
