"""The fronts of a compiled search are those of the host."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.laws import pareto
from search.strategies.nsga2 import front_numbers


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_fronts_in_a_program_are_the_host_s(objectives):
    rewards = np.random.default_rng(objectives).integers(0, 5, (4, 30, objectives)).astype(np.float32)
    found = jax.vmap(front_numbers)(jnp.asarray(rewards))
    for numbers, one in zip(found.tolist(), rewards):
        assert numbers == pareto.fronts(one).tolist()
