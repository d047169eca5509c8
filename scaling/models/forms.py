"""Which form of an operator runs on which backend: one table.

The CPU's row was measured (docs/decisions.md); those of GPU and TPU are plain lax, not yet compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax


@dataclass(frozen=True)
class Forms:
    """The chosen form of each operator.

    `pointwise` and `depthwise` convolutions run as "lax" convolutions, or as a "matmul" and as
    "shifted" multiply-adds; `scan_convolutions` says whether stages that hold real k x k
    convolutions are scanned (XLA:CPU differentiates those about 40 times slower inside a loop);
    `scan_least` is the fewest repeated blocks worth a loop.
    """

    pointwise: str
    depthwise: str
    scan_convolutions: bool
    scan_least: int


LAX = Forms(pointwise="lax", depthwise="lax", scan_convolutions=True, scan_least=2)

FORMS = {
    "cpu": Forms(pointwise="matmul", depthwise="shifted", scan_convolutions=False, scan_least=5),
    "gpu": Forms(pointwise="lax", depthwise="lax", scan_convolutions=True, scan_least=2),
    "tpu": Forms(pointwise="lax", depthwise="lax", scan_convolutions=True, scan_least=2),
}


def forms(name: str | None = None) -> Forms:
    """Return the forms of a backend, by default the one in use; "lax" means plain lax operators."""
    if name == "lax":
        return LAX
    backend = name or jax.default_backend()
    if backend not in FORMS:
        raise ValueError(f"form={backend!r} is not known: use None, 'lax' or one of {sorted(FORMS)}.")
    return FORMS[backend]
