"""A checkpoint comes back bit for bit, or the one before it does, with a warning."""

import errno
import json
import os

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


@pytest.mark.parametrize("saves", [False, True])
def test_a_kill_while_a_checkpoint_is_replaced_leaves_the_old_one(tmp_path, state, monkeypatch, saves):
    def killed(*paths):
        raise KeyboardInterrupt

    checkpoints.save(tmp_path, 1, state, {"is": "old"}, keep=2)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoints.os, "replace", killed)
        checkpoints.save(tmp_path, 1, state, {"is": "new"}, keep=2)
    assert checkpoints.saved_steps(tmp_path) == []
    if saves:
        checkpoints.save(tmp_path, 2, state, {}, keep=2)
    assert checkpoints.restore(tmp_path, like=state, newest=1)[1] == {"is": "old"}


def test_what_a_run_went_back_from_does_not_return_where_that_was_killed(tmp_path, state, monkeypatch):
    def killed(*path, **options):
        raise KeyboardInterrupt

    for step in (1, 2):
        checkpoints.save(tmp_path, step, state, {"step": step}, keep=2)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoints.shutil, "rmtree", killed)
        checkpoints.drop_after(tmp_path, 1)
    assert checkpoints.restore(tmp_path, like=state)[1] == {"step": 1}


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: (path / checkpoints.CHECKSUMS).write_text("{}"),
        lambda path: (path / checkpoints.CHECKSUMS).write_text("[]"),
        lambda path: (path / "state" / "more").write_text("x"),
        lambda path: (path / "state" / "linked").symlink_to(path / "meta.json"),
        lambda path: next((path / "state").rglob("d/*")).unlink(),
        lambda path: path.rename(path.with_name("00000007")),
    ],
)
def test_a_checkpoint_holds_what_its_checksums_list_and_has_its_own_name(tmp_path, state, damage):
    for step in (1, 2):
        checkpoints.save(tmp_path, step, state, {"step": step}, keep=2)
    damage(tmp_path / "00000002")
    with pytest.warns(UserWarning, match=r"step [27] .* is damaged"):
        _, meta = checkpoints.restore(tmp_path, like=state)
    assert meta == {"step": 1}


def test_a_checkpoint_of_another_run_is_set_aside_and_an_older_own_one_is_used(tmp_path, state):
    checkpoints.save(tmp_path, 1, state, {"step": 1}, keep=2, run="ours")
    checkpoints.save(tmp_path, 2, state, {"step": 2}, keep=2, run="theirs")
    with pytest.warns(UserWarning, match="step 2 .* misplaced .it is of run theirs"):
        _, meta = checkpoints.restore(tmp_path, like=state, run="ours")
    assert meta == {"step": 1} and (tmp_path / "00000002.damaged").is_dir()


def test_one_that_tells_no_run_is_taken(tmp_path, state, assert_equal):
    """Checkpoints from before they had an identity."""
    checkpoints.save(tmp_path, 4, state, {"step": 4}, keep=2)
    path = tmp_path / "00000004"
    (path / "meta.json").write_text('{"step": 4}')
    (path / checkpoints.CHECKSUMS).write_text(json.dumps(checkpoints._checksums(path)))
    restored, meta = checkpoints.restore(tmp_path, like=state, run="ours")
    assert_equal(restored, state)
    assert meta == {"step": 4}


def test_arrays_of_another_network_are_refused(tmp_path, state):
    checkpoints.save(tmp_path, 1, state, {}, keep=2)
    wider = jax.tree.map(lambda x: np.zeros((*np.shape(x), 2), np.float32), state)
    with pytest.raises(ValueError, match="is of another network"):
        checkpoints.restore(tmp_path, like=wider)


def test_reading_alone_renames_nothing(tmp_path, state):
    for step in (1, 2):
        checkpoints.save(tmp_path, step, state, {"step": step}, keep=2)
    flip_a_bit(tmp_path / "00000002")
    with pytest.warns(UserWarning, match="left alone"):
        assert checkpoints.restore(tmp_path, like=state, repair=False)[1] == {"step": 1}
    assert checkpoints.saved_steps(tmp_path) == [1, 2]


def test_what_dead_processes_left_is_gone_before_a_save_and_what_fails_leaves_nothing(
    tmp_path, state, monkeypatch
):
    checkpoints.save(tmp_path, 1, state, {}, keep=2)
    (tmp_path / ".00000002.4711" / "state").mkdir(parents=True)

    def full(temporary, state, meta):
        assert not list(tmp_path.glob(".0*"))
        temporary.mkdir()
        raise ValueError("RESOURCE_EXHAUSTED: No space left on device [os_error_code='28']")

    monkeypatch.setattr(checkpoints, "_write", full)
    with pytest.raises(OSError, match="No space left") as refused:
        checkpoints.save(tmp_path, 3, state, {}, keep=2)
    assert refused.value.errno == errno.ENOSPC
    assert [path.name for path in tmp_path.iterdir()] == ["00000001"]


def test_a_checkpoint_is_on_the_disk_before_it_has_its_name(tmp_path, state, monkeypatch):
    seen, replace, fsync = [], os.replace, os.fsync
    monkeypatch.setattr(os, "fsync", lambda f: seen.append(os.readlink(f"/proc/self/fd/{f}")) or fsync(f))
    monkeypatch.setattr(os, "replace", lambda *a: seen.append("renamed") or replace(*a))
    checkpoints.save(tmp_path, 1, state, {}, keep=2)
    before, after = seen[: seen.index("renamed")], seen[seen.index("renamed") :]
    inside = [str(p.relative_to(tmp_path / "00000001")) for p in (tmp_path / "00000001").rglob("*")]
    assert {name.split(f".{os.getpid()}/")[-1] for name in before} >= set(inside)
    assert after == ["renamed", str(tmp_path)]
