"""A checkpoint comes back bit for bit, or the one before it does, with a warning."""

import jax
import numpy as np
import optax
import pytest

from scaling.training import checkpoints
from scaling.training.state import create


@pytest.fixture
def state():
    rng = np.random.default_rng(0)
    variables = {
        "params": {"conv": {"kernel": rng.normal(size=(3, 3, 1, 4)).astype(np.float32)}},
        "batch_stats": {"norm": {"mean": np.zeros(4, np.float32)}},
    }
    return create(variables, optax.chain(optax.trace(0.9), optax.scale_by_adam()), ema=True)


def stepped(state, step):
    return jax.tree.map(lambda x: x + np.asarray(step, x.dtype), state)


def flip_a_bit(path):
    """Damage the middle of the largest file below `path`."""
    file = max((p for p in path.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))


@pytest.mark.parametrize("ema", [True, False])
def test_a_state_comes_back_bit_for_bit(tmp_path, state, ema, assert_equal):
    state = stepped(state if ema else state.replace(ema=None), 3)
    checkpoints.save(tmp_path, 3, state, {"seconds": 0.1 + 0.2}, keep=2)
    restored, meta = checkpoints.restore(tmp_path, like=jax.tree.map(np.zeros_like, state))
    assert_equal(restored, state)
    assert meta == {"seconds": 0.1 + 0.2}
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(restored))


def test_an_empty_directory_holds_none(tmp_path, state):
    assert checkpoints.restore(tmp_path / "none", like=state) is None


def test_the_last_few_are_kept(tmp_path, state):
    for step in (1, 2, 3, 10):
        checkpoints.save(tmp_path, step, state, {}, keep=2)
    assert checkpoints.saved_steps(tmp_path) == [3, 10]


@pytest.mark.filterwarnings("ignore::UserWarning:orbax")
def test_a_flipped_bit_falls_back_loudly(tmp_path, state, assert_equal):
    for step in (1, 2, 3):
        checkpoints.save(tmp_path, step, stepped(state, step), {"step": step}, keep=3)
    flip_a_bit(tmp_path / "00000003")
    with pytest.warns(UserWarning, match="checkpoint of step 3 .* is damaged"):
        restored, meta = checkpoints.restore(tmp_path, like=state)
    assert meta == {"step": 2}
    assert_equal(restored, stepped(state, 2))
    assert checkpoints.saved_steps(tmp_path) == [1, 2]


@pytest.mark.parametrize("victim", [checkpoints.CHECKSUMS, "meta.json"])
def test_a_missing_file_is_damage_too(tmp_path, state, victim):
    for step in (1, 2):
        checkpoints.save(tmp_path, step, state, {"step": step}, keep=2)
    (tmp_path / "00000002" / victim).unlink()
    with pytest.warns(UserWarning, match="step 2"):
        _, meta = checkpoints.restore(tmp_path, like=state)
    assert meta == {"step": 1}


def test_the_last_good_one_outlives_newer_damaged_ones(tmp_path, state):
    checkpoints.save(tmp_path, 1, state, {}, keep=1)
    checkpoints.save(tmp_path, 2, state, {}, keep=2)
    flip_a_bit(tmp_path / "00000002")
    checkpoints.save(tmp_path, 3, state, {}, keep=2)
    assert checkpoints.saved_steps(tmp_path) == [1, 2, 3]


def test_what_a_killed_save_left_is_no_checkpoint(tmp_path, state):
    checkpoints.save(tmp_path, 1, state, {}, keep=2)
    (tmp_path / ".00000002.4711" / "state").mkdir(parents=True)
    assert checkpoints.saved_steps(tmp_path) == [1]
    checkpoints.save(tmp_path, 3, state, {}, keep=2)
    assert not list(tmp_path.glob(".0*"))
