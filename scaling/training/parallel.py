"""The one seam to several devices: engines that map a per-device function over an axis "batch".

Both engines cut batches alike and give equal results, within one process or over several.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from scaling.tasks.task import AXIS
from scaling.training.allocator import give_back

Device = Any  # jax.Device, which static checkers do not take for a type


class Engine(Protocol):
    """Moves values to the devices of a mesh and compiles per-device functions for them."""

    mesh: Mesh

    def replicate(self, tree: Any) -> Any:
        """Put a copy of host values, equal in all processes, on every device."""
        ...

    def unreplicate(self, tree: Any) -> Any:
        """Return the host copy (NumPy) of a replicated value."""
        ...

    def shard(self, batch: Mapping[str, np.ndarray], axis: int = 0) -> Any:
        """Cut this process's rows, along `axis`, over its devices."""
        ...

    def mapped(
        self, function: Callable, arguments: Sequence[Any], cut: Mapping[int, int], donate: tuple[int, ...]
    ) -> Callable:
        """Map over the devices; `cut` says which of the arguments are sharded, and along what axis."""
        ...

    def compile(
        self, function: Callable, arguments: Sequence[Any], cut: Mapping[int, int], donate: tuple[int, ...]
    ) -> Callable:
        """Compile what `mapped` returns for these arguments."""
        ...


class PmapEngine:
    """`jax.pmap`: every array carries a leading axis of devices."""

    def __init__(self, devices: Sequence[Device]):
        self.mesh = _mesh(devices)
        self._sharding = NamedSharding(self.mesh, P(AXIS))

    def replicate(self, tree: Any) -> Any:
        def put(x):
            shape = (self.mesh.size, *np.shape(x))
            return jax.make_array_from_callback(shape, self._sharding, lambda index: _private_copy(x)[None])

        return jax.tree.map(put, tree)

    def unreplicate(self, tree: Any) -> Any:
        return jax.tree.map(lambda x: np.asarray(x.addressable_data(0))[0].copy(), tree)

    def shard(self, batch: Mapping[str, np.ndarray], axis: int = 0) -> Any:
        local = self.mesh.local_mesh.size

        def rows(x):
            cut = x.reshape(*x.shape[:axis], local, -1, *x.shape[axis + 1 :])
            return np.ascontiguousarray(np.moveaxis(cut, axis, 0))

        return jax.make_array_from_process_local_data(
            self._sharding, {name: rows(x) for name, x in batch.items()}
        )

    def mapped(
        self, function: Callable, arguments: Sequence[Any], cut: Mapping[int, int], donate: tuple[int, ...]
    ) -> Any:
        return jax.pmap(function, AXIS, devices=self.mesh.devices.tolist(), donate_argnums=donate)

    def compile(
        self, function: Callable, arguments: Sequence[Any], cut: Mapping[int, int], donate: tuple[int, ...]
    ) -> Callable:
        # pmap is traced with this process's part of each array, but runs on the whole.
        local = [multihost_utils.global_array_to_host_local_array(a, self.mesh, P(AXIS)) for a in arguments]
        return self.mapped(function, arguments, cut, donate).lower(*local).compile()


class JitEngine:
    """`jax.jit` of a `jax.shard_map` over a named mesh: arrays keep their global shapes."""

    def __init__(self, devices: Sequence[Device]):
        self.mesh = _mesh(devices)

    def replicate(self, tree: Any) -> Any:
        sharding = NamedSharding(self.mesh, P())

        def put(x):
            return jax.make_array_from_callback(np.shape(x), sharding, lambda index: _private_copy(x))

        return jax.tree.map(put, tree)

    def unreplicate(self, tree: Any) -> Any:
        return jax.tree.map(lambda x: np.array(x.addressable_data(0)), tree)

    def shard(self, batch: Mapping[str, np.ndarray], axis: int = 0) -> Any:
        sharding = NamedSharding(self.mesh, _cut_along(axis))
        return jax.make_array_from_process_local_data(sharding, dict(batch))

    def mapped(
        self, function: Callable, arguments: Sequence[Any], cut: Mapping[int, int], donate: tuple[int, ...]
    ) -> Any:
        specs = tuple(_cut_along(cut[i]) if i in cut else P() for i in range(len(arguments)))
        # check_vma=False: collectives differentiate as in pmap, and gradients are averaged by us.
        mapped = jax.shard_map(function, mesh=self.mesh, in_specs=specs, out_specs=P(), check_vma=False)
        return jax.jit(mapped, donate_argnums=donate)

    def compile(
        self, function: Callable, arguments: Sequence[Any], cut: Mapping[int, int], donate: tuple[int, ...]
    ) -> Callable:
        return self.mapped(function, arguments, cut, donate).lower(*arguments).compile()


ENGINES: dict[str, Callable[[Sequence[Device]], Engine]] = {"pmap": PmapEngine, "jit": JitEngine}


def choose_devices(count: int | None) -> list[Device]:
    """Return the first `count` devices of all processes, all of them for None."""
    devices = jax.devices()
    if count is None:
        return devices
    if not 1 <= count <= len(devices) or (jax.process_count() > 1 and count != len(devices)):
        raise ValueError(
            f"config.train.devices={count} cannot be had: {jax.process_count()} process(es) see "
            f"{len(devices)} device(s), and several processes use all of them. Leave it at None for all."
        )
    return devices[:count]


def check_batch(batch: int, devices: int, accumulate: int, pairs: bool) -> None:
    """Raise ValueError where a global batch cannot be cut over devices and micro-batches.

    With `pairs` (mixup, cutmix) each micro-batch must be even: neighbours are mixed.
    """
    unit = devices * accumulate * (2 if pairs else 1)
    if batch % unit:
        fits = [n for n in (batch // unit * unit, -(-batch // unit) * unit) if n]
        reason = f"{devices} device(s) x config.train.accumulate={accumulate}"
        raise ValueError(
            f"config.train.batch={batch} is not a multiple of {unit} = {reason}"
            f"{' x 2 (mixup and cutmix mix neighbours)' if pairs else ''}: "
            f"make it {' or '.join(map(str, fits))}, or set config.train.devices."
        )


class Program:
    """A per-device function, compiled ahead of time for each shape of sharded arguments it meets.

    `seconds` is the time spent compiling so far.
    """

    def __init__(
        self, engine: Engine, function: Callable, cut: Mapping[int, int], donate: tuple[int, ...] = ()
    ):
        self._engine, self._function, self._cut, self._donate = engine, function, cut, donate
        self._compiled: dict[Any, Callable] = {}
        self.seconds = 0.0

    def __call__(self, *arguments: Any) -> Any:
        return self.prepare(*arguments)(*arguments)

    def prepare(self, *arguments: Any) -> Callable:
        """Compile for arguments of these shapes, unless that was done; return what is compiled."""
        shapes = self._shapes(arguments)
        if shapes not in self._compiled:
            start = time.perf_counter()
            self._compiled[shapes] = self._engine.compile(self._function, arguments, self._cut, self._donate)
            self.seconds += time.perf_counter() - start
            give_back()
        return self._compiled[shapes]

    def knows(self, *arguments: Any) -> bool:
        """Whether a call with these arguments needs no compiling."""
        return self._shapes(arguments) in self._compiled

    def _shapes(self, arguments: Sequence[Any]) -> tuple[tuple[int, ...], ...]:
        return tuple(x.shape for i in self._cut for x in jax.tree.leaves(arguments[i]))


def _mesh(devices: Sequence[Device]) -> Mesh:
    return jax.make_mesh((len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def _private_copy(x: Any) -> np.ndarray:
    """Copy: on a CPU the device may use the host's memory itself, and donate it."""
    return np.array(x)


def _cut_along(axis: int) -> P:
    return P(*(None,) * axis, AXIS)
