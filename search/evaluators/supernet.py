"""The one compiled network that is every point of a space: what it is told, and what it takes to train it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np

from scaling.arch.arch import Arch
from scaling.data import Dataset
from scaling.runs.resolve import resolve
from scaling.runs.spec import RunSpec
from scaling.training.plan import Plan, make_plan
from search.core.space import Space

Choice = dict[str, list[int]]  # the operation of each edge, by the names of `scaling.models.network.choosing`


def run_of(arch: Arch, spec: RunSpec) -> RunSpec:
    """Return the run that trains an architecture as a template says; its model's factors apply to it."""
    return dataclasses.replace(spec, model=dataclasses.replace(spec.model, arch=arch))


def arch_of(arch: Arch, spec: RunSpec, dataset: Dataset) -> Arch:
    """Return the network that this run trains."""
    made, _ = resolve(run_of(arch, spec).model, dataset.num_classes, dataset.in_channels)
    assert isinstance(made, Arch), "an architecture's run trains an architecture"
    return made


def supernet_plan(space: Space, spec: RunSpec) -> Plan:
    """Return the plan of a run of the space's supernet; ValueError where it has none."""
    return make_plan(run_of(_universal(space, any_arch(space))[0], spec))


def any_arch(space: Space) -> Arch:
    """Return a network of the space, always the same one."""
    return space.decode(space.sample(jax.random.key(0)))


def choice_of(space: Space, point: Sequence[int] | np.ndarray) -> Choice:
    """Return what tells the supernet to be a point's network."""
    return _universal(space, space.decode(point))[1]


def _universal(space: Space, arch: Arch) -> tuple[Arch, Choice]:
    if space.universal is None:
        raise ValueError(
            f"space {space.name!r} has no supernet: 'nasbench201' has one, and 'nasnet' with leaving='all'; others' "
            "networks are trained one by one (evaluator 'training')."
        )
    found = space.universal(arch)
    assert found is not None, "every point of a space with a supernet is in it"
    return found
