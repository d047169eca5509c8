"""What a data-parallel step says to other devices: the bytes that it all-reduces."""

from __future__ import annotations

import math
from typing import Any

from scaling.cost.traced import inner_programs

REDUCTIONS = ("psum", "psum2", "psum_invariant")


def reduced_bytes(jaxpr: Any) -> int:
    """Return the bytes that one run of a program sums over devices; what a loop sums counts each time.

    Of a branch that may run or not, the one that sums most counts. The program is that of one device
    (`jax.make_jaxpr` with its `axis_env`).
    """
    return sum(_of_equation(eqn) for eqn in jaxpr.eqns)


def _of_equation(eqn: Any) -> int:
    if eqn.primitive.name in REDUCTIONS:
        return sum(math.prod(atom.aval.shape) * atom.aval.dtype.itemsize for atom in eqn.invars)
    inner = [reduced_bytes(program) for program in inner_programs(eqn)]
    if eqn.primitive.name == "cond":
        return max(inner)
    return eqn.params.get("length", 1) * sum(inner) if eqn.primitive.name == "scan" else sum(inner)
