"""Which form of an operator runs on which backend: one table.

The rows of the CPU were measured (`python -m experiments.benchmarks`, docs/decisions.md); those of GPU
and TPU are plain lax, not yet compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax

from scaling.models import native


@dataclass(frozen=True)
class Forms:
    """The chosen form of each operator.

    `pointwise` convolutions run as "lax" convolutions or as a "matmul"; `depthwise` ones as "lax",
    as "shifted" multiply-adds or as "native" C++ kernels; `dense` and grouped ones as "lax", or with
    gradients of "plain" convolutions; `norm` (batch norm and its activation) as "jnp" or "native";
    `scan_least` is the fewest repeated blocks worth a loop.
    """

    pointwise: str
    depthwise: str
    dense: str
    norm: str
    scan_least: int


LAX = Forms(pointwise="lax", depthwise="lax", dense="lax", norm="jnp", scan_least=2)

FORMS = {
    "cpu": Forms(
        pointwise="matmul",
        depthwise="shifted",
        dense="plain",
        norm="jnp",
        scan_least=5,
    ),
    "native": Forms(
        pointwise="matmul",
        depthwise="native",
        dense="plain",
        norm="native",
        scan_least=5,
    ),
    "gpu": Forms(pointwise="lax", depthwise="lax", dense="lax", norm="jnp", scan_least=2),
    "tpu": Forms(pointwise="lax", depthwise="lax", dense="lax", norm="jnp", scan_least=2),
}


def forms(name: str | None = None) -> Forms:
    """Return the forms of a row; by default the backend's, "native" on a CPU where the kernels are built.

    "lax" means plain lax operators. ValueError for an unknown row, or "native" where nothing is built.
    """
    if name == "lax":
        return LAX
    row = name or _default()
    if row not in FORMS:
        raise ValueError(f"form={row!r} is not known: use None, 'lax' or one of {sorted(FORMS)}.")
    if row == "native" and not native.available():
        raise ValueError("form='native' needs the C++ kernels: build them with python -m experiments.native.")
    return FORMS[row]


def _default() -> str:
    backend = jax.default_backend()
    return "native" if backend == "cpu" and native.available() else backend
