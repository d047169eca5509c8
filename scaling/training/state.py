"""What training carries from step to step, as one frozen pytree."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct


@struct.dataclass
class TrainState:
    """`step` counts finished updates; `ema` is {"params", "batch_stats"} averaged, or None."""

    step: Any
    params: Any
    batch_stats: Any
    opt_state: Any
    ema: dict[str, Any] | None = None


def create(variables: dict[str, Any], optimizer: optax.GradientTransformation, ema: bool) -> TrainState:
    """Return the state of step 0 as NumPy arrays."""
    params, batch_stats = variables["params"], variables.get("batch_stats", {})
    state = TrainState(
        step=np.zeros([], np.int32),
        params=params,
        batch_stats=batch_stats,
        opt_state=optimizer.init(params),
        ema={"params": params, "batch_stats": batch_stats} if ema else None,
    )
    return jax.tree.map(np.array, state)


def averaged(ema: dict[str, Any], now: dict[str, Any], decay: float, ramp: bool, step: Any) -> dict[str, Any]:
    """Move the averages towards the values after update number `step` (counted from 0).

    With `ramp` the decay is min(decay, (1 + step) / (10 + step)), so that early values fade.
    """
    ramped = jnp.minimum(decay, (1.0 + step) / (10.0 + step)) if ramp else decay
    return jax.tree.map(lambda old, new: old + (1.0 - ramped) * (new - old), ema, now)


def models(state: TrainState) -> dict[str, dict[str, Any]]:
    """Return the variables to evaluate: "raw", and "ema" where there are averages."""
    raw = {"params": state.params, "batch_stats": state.batch_stats}
    return {"raw": raw} if state.ema is None else {"raw": raw, "ema": state.ema}
