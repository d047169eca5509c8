"""The phases of a training, each with a resolution of its own, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scaling.arch.arch import Sized
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.models.network import frozen_stages
from scaling.runs.duration import Duration
from scaling.runs.spec import RunSpec, TrainSpec


@dataclass(frozen=True)
class Phase:
    """From step `start` on, train at `resolution`; `macs` are those of training on one image there.

    `drop_rate` and `magnitude` (of RandAugment) are None where the phase has none of its own.
    """

    start: int
    resolution: int
    macs: int
    drop_rate: float | None = None
    magnitude: float | None = None


def phases_of(arch: Sized, spec: RunSpec, total: int) -> tuple[Phase, ...]:
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
    return 2.0 * batch * sum(n * phase.macs for n, phase in zip(lengths, phases))
