"""A run's network and weights, read from its `network.json` and a checkpoint; its data is not needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scaling.arch.arch import from_record
from scaling.data.photos import MODES
from scaling.runs.workdir import CHECKPOINTS, NETWORK, recorded
from scaling.training import checkpoints
from scaling.training.plan import Plan
from scaling.training.state import TrainState, models
from scaling.weights.files import Weights, class_names
from scaling.weights.preprocessing import Preprocessing


def network_record(plan: Plan) -> dict[str, Any]:
    """Return what `network.json` holds: the resolved network, how pictures become its input, its classes.

    Photos are squeezed to a square when read, bilinearly: "squash" is that, up to a pixel of rounding and,
    where `data.store` differs from the resolution over the crop, a second resampling.
    """
    data, preprocessing = plan.dataset, None
    if data.in_channels in MODES:
        crop, side = plan.spec.augment.eval_crop, plan.arch.resolution
        told = plan.spec.augment.normalise
        own = "" if told == "set" else told
        preprocessing = Preprocessing(side, crop, "squash", "bilinear", data.mean, data.std, own).to_dict()
    return {
        "arch": plan.arch.to_dict(),
        "preprocessing": preprocessing,
        "classes": list(data.class_names),
    }


def trained(workdir: Path, which: str | None = None, trust_code: bool = False) -> tuple[Weights, int]:
    """Return the weights of a run's newest intact checkpoint, and its step.

    `which` is "ema" or "raw"; None takes the averages where the run has them. A network that is a function
    in a .py file is run with `trust_code` only. ValueError where the directory holds no run, no intact
    checkpoint, no averages, or such a network.
    """
    record = _record(workdir)
    restored = checkpoints.restore(workdir / CHECKPOINTS, repair=False)
    if restored is None:
        raise ValueError(f"{workdir} holds no intact checkpoint: run its training again.")
    state = TrainState(**restored[0])
    known = models(state)
    which = which or list(known)[-1]
    if which not in known:
        raise ValueError(
            f"{workdir} has no {which!r} weights, only {', '.join(known)}: config.train.ema was 0."
        )
    told = record["preprocessing"]
    preprocessing = None if told is None else Preprocessing.from_dict(told)
    arch, classes = from_record(record["arch"], trust_code), class_names(record.get("classes", []))
    return Weights(arch, known[which], preprocessing, classes), int(state.step)


def _record(workdir: Path) -> dict[str, Any]:
    """Read a `network.json`; ValueError, naming the file, where it holds no network."""
    record = recorded(workdir, NETWORK)
    if not isinstance(record, dict) or not record.keys() >= {"arch", "preprocessing"}:
        raise ValueError(
            f"{workdir / NETWORK} does not hold arch and preprocessing: run the training again to have it anew."
        )
    return record
