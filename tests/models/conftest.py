"""What the model tests share: comparing trees leaf by leaf."""

from typing import Any

import jax
import numpy as np
import pytest


@pytest.fixture(scope="session")
def assert_close() -> Any:
    """Compare two trees: every leaf within `tolerance` of its largest value."""

    def compare(one, two, tolerance: float = 1e-5):
        assert jax.tree.structure(one) == jax.tree.structure(two)
        for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(one), jax.tree.leaves(two)):
            a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
            name = jax.tree_util.keystr(path)
            np.testing.assert_allclose(a, b, 0, tolerance * max(1e-3, np.abs(b).max()), err_msg=name)

    return compare
