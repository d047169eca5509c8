"""What training carries from step to step, as one frozen pytree."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct


@struct.dataclass
class TrainState:
    """`step` counts finished updates; `ema` is {"params", "batch_stats"} averaged, or None.

    `frozen` is {"params", "batch_stats"} of the stages that are not trained, and all other collections that
    the network reads (a supernet's "choice"), or None; they are not in the other fields, so that no update,
    decay or average can reach them.
    """

    step: Any
    params: Any
    batch_stats: Any
    opt_state: Any
    ema: dict[str, Any] | None = None
    frozen: dict[str, Any] | None = None


def create(
    variables: dict[str, Any],
    optimizer: optax.GradientTransformation,
    ema: bool,
    frozen: Collection[str] = (),
) -> TrainState:
    """Return the state of step 0 as NumPy arrays; `frozen` names stages to keep as they are."""
    collections = {"params": variables["params"], "batch_stats": variables.get("batch_stats", {})}
    trained = {name: without(tree, frozen) for name, tree in collections.items()}
    held = {name: without(tree, trained[name]) for name, tree in collections.items()}
    told = {name: tree for name, tree in variables.items() if name not in collections}
    params, batch_stats = trained["params"], trained["batch_stats"]
    state = TrainState(
        step=np.zeros([], np.int32),
        params=params,
        batch_stats=batch_stats,
        opt_state=optimizer.init(params),
        ema=trained if ema else None,
        frozen={**held, **told} if frozen or told else None,
    )
    return jax.tree.map(np.array, state)


def without(tree: Any, names: Collection[str]) -> dict[str, Any]:
    """Return a collection less some of its modules."""
    return {name: leaves for name, leaves in tree.items() if name not in names}


def averaged(ema: dict[str, Any], now: dict[str, Any], decay: float, ramp: bool, step: Any) -> dict[str, Any]:
    """Move the averages towards the values after update number `step` (counted from 0).

    With `ramp` the decay is min(decay, (1 + step) / (10 + step)), so that early values fade.
    """
    ramped = jnp.minimum(decay, (1.0 + step) / (10.0 + step)) if ramp else decay
    return jax.tree.map(lambda old, new: old + (1.0 - ramped) * (new - old), ema, now)


def models(state: TrainState) -> dict[str, dict[str, Any]]:
    """Return the variables to evaluate: "raw", and "ema" where there are averages.

    Each holds the frozen part apart, under "frozen", for `packing.whole`.
    """
    raw = {"params": state.params, "batch_stats": state.batch_stats}
    found = {"raw": raw} if state.ema is None else {"raw": raw, "ema": state.ema}
    held = {} if state.frozen is None else {"frozen": state.frozen}
    return {name: {**variables, **held} for name, variables in found.items()}
