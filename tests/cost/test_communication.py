"""The bytes that a step all-reduces: counted by hand."""

import jax
import jax.numpy as jnp
from jax import lax

from scaling.cost.communication import reduced_bytes

X = jnp.ones((3, 5))


def traced(function):
    return jax.make_jaxpr(function, axis_env=[("batch", 8)])(X).jaxpr


def test_a_sum_over_devices_counts_its_bytes_and_a_maximum_within_one_nothing():
    assert reduced_bytes(traced(lambda x: lax.psum((x, x[0]), "batch"))) == 4 * (15 + 5)
    assert reduced_bytes(traced(lambda x: lax.pmean(x.astype(jnp.bfloat16), "batch"))) == 2 * 15
    assert reduced_bytes(traced(lambda x: x.sum() + x.max())) == 0


def test_a_loop_counts_each_time_and_of_branches_the_larger():
    loop = lambda x: lax.scan(lambda total, row: (total + lax.psum(row, "batch"), None), x[0], x)
    assert reduced_bytes(traced(loop)) == 3 * 4 * 5
    branch = lambda x: lax.cond(
        x[0, 0] > 0, lambda: lax.psum(x, "batch"), lambda: x + lax.psum(x[0], "batch")
    )
    assert reduced_bytes(traced(branch)) == 4 * 15
    assert reduced_bytes(traced(jax.jit(lambda x: jax.jit(lambda y: lax.psum(y, "batch"))(x)))) == 4 * 15
