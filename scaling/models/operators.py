"""Which implementation of an operator runs on which backend: one table.

The rows of the CPU were measured (`python -m experiments.benchmarks`, docs/decisions.md); those of GPU
and TPU are plain lax, not yet compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax

from scaling.models import native


@dataclass(frozen=True)
class Operators:
    """The chosen implementation of each operator.

    `pointwise` convolutions run as "lax" convolutions or as a "matmul"; `depthwise` ones as "lax",
    as "shifted" multiply-adds or as "native" C++ kernels; `dense` and grouped ones as "lax", with
    gradients of "plain" convolutions or as "native", those of 3x3 with fewer products where `winograd` allows
    that and it pays; `norm` (batch norm and its activation) as "jnp" or "native"; `scan_least` is the fewest
    repeated blocks worth a loop.
    """

    pointwise: str
    depthwise: str
    dense: str
    norm: str
    scan_least: int
    winograd: bool = False


LAX = Operators(pointwise="lax", depthwise="lax", dense="lax", norm="jnp", scan_least=2)

BY_BACKEND = {
    "cpu": Operators(
        pointwise="matmul",
        depthwise="shifted",
        dense="plain",
        norm="jnp",
        scan_least=5,
    ),
    "native": Operators(
        pointwise="matmul",
        depthwise="native",
        dense="native",
        norm="native",
        scan_least=5,
        winograd=True,
    ),
    "gpu": Operators(pointwise="lax", depthwise="lax", dense="lax", norm="jnp", scan_least=2),
    "tpu": Operators(pointwise="lax", depthwise="lax", dense="lax", norm="jnp", scan_least=2),
}


def operators_of(name: str | None = None) -> Operators:
    """Return a row; by default the backend's, "native" on a CPU where the kernels are built.

    "lax" means plain lax operators, which a backend without a row has too. ValueError for an unknown row, or
    "native" where nothing is built.
    """
    row = name or _default()
    if row == "lax":
        return LAX
    if row not in BY_BACKEND:
        raise ValueError(f"operators={row!r} is not known: use None, 'lax' or one of {sorted(BY_BACKEND)}.")
    if row == "native" and not native.available():
        raise ValueError(
            "operators='native' needs the C++ kernels: build them with python -m experiments.native "
            f"(and {native.SWITCH} must not be 0)."
        )
    return BY_BACKEND[row]


def _default() -> str:
    backend = jax.default_backend()
    if backend == "cpu" and native.available():
        return "native"
    return backend if backend in BY_BACKEND else "lax"
