"""The phases of a training, each at a resolution or with parts that learn of its own, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scaling.arch.arch import Sized
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.models.network import frozen_stages
from scaling.runs.duration import Duration
from scaling.runs.spec import RunSpec, TrainSpec
from scaling.tasks import named
from scaling.tasks.task import ASKED, LEARNS, Turn


@dataclass(frozen=True)
class Phase:
    """From step `start` on, train at `resolution`; `macs` are those of training on one image there.

    `drop_rate` and `magnitude` (of RandAugment) are None where the phase has none of its own, `turn` where
    all learns together.
    """

    start: int
    resolution: int
    macs: int
    drop_rate: float | None = None
    magnitude: float | None = None
    turn: Turn | None = None


def phases_of(arch: Sized, spec: RunSpec, total: int) -> tuple[Phase, ...]:
    """Return the phases of a training of `total` steps; ValueError where a config cuts it wrongly."""
    return _turns(arch, spec, total) if spec.train.alternate else _sizes(arch, spec, total)


def _turns(arch: Sized, spec: RunSpec, total: int) -> tuple[Phase, ...]:
    """One phase a turn, of equal lengths."""
    if not (turns := named(spec.task).turns(arch)):
        raise ValueError(
            f"config.train.alternate is set, but no part of {arch.name} learns in turns by config.task="
            f"{spec.task!r}: choose a detector in two stages (config.model.head='fasterrcnn'), or leave it out."
        )
    if spec.train.progressive or total < len(turns):
        raise ValueError(
            f"config.train.alternate cuts {total} steps into {len(turns)} turns: train for as many steps at least, "
            "and leave config.train.progressive empty, which cuts them too."
        )
    layers = count(arch, layers=True).layers
    held = frozen_stages(spec.optimizer.frozen, arch)
    most = lambda path: ASKED if path.split("/")[0] in held else LEARNS
    macs = lambda turn: sum(each.macs * min(turn.passes(each.name), most(each.name)) for each in layers)
    starts = [total * i // len(turns) for i in range(len(turns))]
    return tuple(Phase(start, arch.resolution, macs(turn), turn=turn) for start, turn in zip(starts, turns))


def _sizes(arch: Sized, spec: RunSpec, total: int) -> tuple[Phase, ...]:
    """Turn (fraction of training, fraction of the resolution) into phases; the first is full if not given."""
    progressive, drop_rates, magnitudes = _progressive(spec.train)
    for when, part in progressive:
        if not 0 <= when < 1 or part <= 0:
            raise ValueError(
                f"config.train.progressive holds ({when}, {part}): the first must be in [0, 1), a fraction of "
                "training, the second above 0, a fraction of the resolution."
            )
    told = sorted(zip(progressive, drop_rates, magnitudes))
    starts = {0: (1.0, None, None)} | {round(when * total): (part, *own) for (when, part), *own in told}
    found = []
    for start, (part, drop_rate, magnitude) in starts.items():
        side = max(1, round(arch.resolution * part))
        macs = train_macs(arch.replace(resolution=side), spec.optimizer.frozen)
        found.append(Phase(start, side, macs, drop_rate, magnitude))
    return tuple(found)


def _progressive(train: TrainSpec) -> tuple[Any, Any, Any]:
    """The entries of `progressive`, and the dropout rate and magnitude of each (None where not given)."""
    entries = train.progressive
    for name in ("progressive_drop_rate", "progressive_magnitude"):
        values = getattr(train, name)
        if len(values) not in (0, len(entries)):
            raise ValueError(
                f"config.train.{name}={values} has {len(values)} values for the {len(entries)} entries of "
                "config.train.progressive: give one for each, or none."
            )
    nothing = (None,) * len(entries)
    return entries, train.progressive_drop_rate or nothing, train.progressive_magnitude or nothing


def train_macs(arch: Sized, frozen: tuple[str, ...] = ()) -> int:
    """Multiply-adds of a training step, an image: a forward pass, and as many for each of two gradients.

    A frozen stage needs no gradient of its parameters, nor any at all where nothing before it is trained.
    """
    if not (held := frozen_stages(frozen, arch)):
        return 3 * (totals(arch) or count(arch)).macs
    first = next((name for name in arch.stage_names if name not in held), None)
    before = set(arch.stage_names[: None if first is None else arch.stage_names.index(first)])
    spared = 0
    for layer in count(arch, layers=True).layers:
        stage = layer.name.split("/")[0]
        spared += layer.macs * ((stage in held) + (stage in before))
    return 3 * count(arch).macs - spared


def training_flops(arch: Sized, spec: RunSpec, steps_per_epoch: int) -> float:
    """FLOPs of a whole training by `spec`, of a data set that gives so many steps an epoch."""
    total = Duration.parse(spec.train.duration).steps(steps_per_epoch)
    return flops(phases_of(arch, spec, total), total, total, spec.train.batch)


def flops(each: tuple[Phase, ...], total: int, steps: int, batch: int) -> float:
    """FLOPs of the first `steps` of `total` steps of `batch` images, at 2 per multiply-add."""
    ends = [*(phase.start for phase in each[1:]), total]
    lengths = [max(0, min(end, steps) - phase.start) for phase, end in zip(each, ends)]
    return 2.0 * batch * sum(n * phase.macs for n, phase in zip(lengths, each))
