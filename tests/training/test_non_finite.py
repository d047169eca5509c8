"""What follows a step that is not finite is what the config says, and a killed run does the same again."""

import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.runs.rows import Row, read_row
from scaling.runs.spec import RunSpec
from scaling.training import Interrupted, checkpoints, loop, run, runtime
from scaling.training.plan import make_plan
from scaling.training.progress import Silent
from scaling.training.runtime import Runtime

BAD = 7  # the number of the update that is not finite
RUN = {"train.checkpoint_every": "4 steps", "train.eval_every": "2 epochs"}


@pytest.fixture
def rate_at(monkeypatch):
    """Return a function: from now on schedules are 0.5, but `value` at the steps before these updates."""

    def arrange(value, *updates):
        steps = jnp.array([number - 1 for number in updates])
        rate = lambda step: jnp.where((step == steps).any(), value, 0.5)
        monkeypatch.setattr(runtime.schedules, "build", lambda *arguments: rate)

    return arrange


@pytest.fixture
def stop_when(monkeypatch):
    """Return a function that makes runs get SIGTERM's number once, where `true(attempt)` is."""

    def arrange(true):
        after, armed = loop._after, [True]

        def signalled(attempt, state, call):
            if armed and true(attempt):
                armed.clear()
                attempt.requests.signum = signal.SIGTERM
            after(attempt, state, call)

        monkeypatch.setattr(loop, "_after", signalled)

    return arrange


def at(directory, spec, step=None):
    """The state and what was told of it at a checkpoint, by default the newest."""
    like = Runtime(make_plan(spec)).first_state()
    state, meta = checkpoints.restore(directory / "checkpoints", like, newest=step)
    return state, [meta[name] for name in ("step", "skips", "rollbacks")]


def same_after_a_stop(spec, tmp_path, stop_when, assert_equal, true) -> Row:
    """Check that a run that is stopped and goes on ends as one that is not; return its row."""
    whole = run(spec, tmp_path / "whole", Silent())
    stop_when(true)
    with pytest.raises(Interrupted):
        run(spec, tmp_path / "parts", Silent())
    parts = run(spec, tmp_path / "parts", Silent())
    assert_equal(at(tmp_path / "whole", spec), at(tmp_path / "parts", spec))
    for name in ("status", "metrics", "steps", "skipped", "rollbacks", "examples_seen"):
        assert getattr(whole, name) == getattr(parts, name), name
    return whole


def test_a_skipped_update_leaves_all_but_the_step_as_it_was(make_spec, tmp_path, rate_at, assert_equal):
    rate_at(jnp.nan, BAD)
    spec = make_spec(
        {
            **RUN,
            "train.non_finite": "skip",
            "train.duration": "8 steps",
            "train.checkpoint_every": "1 steps",
            "train.keep": 8,
        }
    )
    row = run(spec, tmp_path, Silent())
    assert (row.status, row.skipped, row.rollbacks, row.steps) == ("ok", 1, 0, 8)
    assert read_row(tmp_path / "row.json") == row
    (before, _), (after, told) = at(tmp_path, spec, BAD - 1), at(tmp_path, spec, BAD)
    assert told == [BAD, [1, 1], 0] and after.step == before.step + 1
    for name in ("params", "batch_stats", "ema"):
        assert_equal(getattr(before, name), getattr(after, name))
    changed = [
        (old, new)
        for old, new in zip(jax.tree.leaves(before.opt_state), jax.tree.leaves(after.opt_state))
        if not np.array_equal(old, new)
    ]
    assert changed == [(BAD - 1, BAD)], "of the optimizer, only the schedule's step went on"
    later, told = at(tmp_path, spec)
    assert told == [8, [1, 0], 0] and all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(later))


@pytest.mark.nightly
@pytest.mark.parametrize("stop", [6, pytest.param(8, marks=pytest.mark.exhaustive)])
def test_a_run_stopped_around_a_skipped_update_ends_equal(
    make_spec, tmp_path, rate_at, stop_when, assert_equal, stop
):
    rate_at(jnp.nan, BAD)
    spec = make_spec({**RUN, "train.non_finite": "skip"})
    row = same_after_a_stop(spec, tmp_path, stop_when, assert_equal, lambda attempt: attempt.steps == stop)
    assert (row.status, row.skipped) == ("ok", 1)


@pytest.mark.nightly
def test_too_many_skipped_in_a_row_end_the_run_also_across_attempts(make_spec, tmp_path, rate_at, stop_when):
    rate_at(jnp.nan, 2, 3, BAD, BAD + 1, BAD + 2)
    spec = make_spec({**RUN, "train.non_finite": "skip", "train.non_finite_limit": 2})
    stop_when(lambda attempt: attempt.steps == BAD + 1)
    with pytest.raises(Interrupted):
        run(spec, tmp_path, Silent())
    row = run(spec, tmp_path, Silent())
    assert (row.status, row.steps, row.skipped) == ("nan", BAD + 2, 5)
    assert "neither were the 2 before it (config.train.non_finite_limit)" in row.message


@pytest.mark.nightly
@pytest.mark.parametrize("stop", [pytest.param((5, 0), marks=pytest.mark.exhaustive), (6, 1)])
def test_a_rollback_goes_on_at_a_lower_rate_and_is_the_same_after_a_stop(
    make_spec, tmp_path, rate_at, stop_when, assert_equal, stop
):
    rate_at(1e30, BAD)
    spec = make_spec({**RUN, "train.non_finite": "rollback", "train.rollback_rate": 1e-30, "train.keep": 1})
    reached = lambda attempt: (attempt.steps, attempt.rollbacks) == stop
    row = same_after_a_stop(spec, tmp_path, stop_when, assert_equal, reached)
    assert (row.status, row.rollbacks, row.skipped, row.steps) == ("ok", 1, 0, 12)
    steps = [line.split(",")[0] for line in (tmp_path / "parts" / "metrics.jsonl").read_text().splitlines()]
    assert len([step for step in steps if step == '{"step": 8']) == 1, "what was undone is not in the journal"


def test_rollbacks_are_bounded_and_start_anew_without_a_checkpoint(make_spec, tmp_path, rate_at):
    rate_at(jnp.nan, 3)
    changes = {"train.non_finite": "rollback", "train.non_finite_limit": 2, "train.rollback_rate": 1.0}
    row = run(make_spec({**RUN, **changes}), tmp_path, Silent())
    assert (row.status, row.steps, row.rollbacks) == ("nan", 3, 2)
    assert "after 2 rollbacks (config.train.non_finite_limit)" in row.message


def test_the_policy_is_of_the_run_and_older_runs_keep_their_ids_and_rows(make_spec):
    ids = {make_spec({"train.non_finite": policy}).id for policy in ("skip", "rollback")}
    assert len(ids | {make_spec({"train.non_finite": "stop"}).id}) == 3
    values = RunSpec().to_dict()
    for name in ("non_finite", "non_finite_limit", "rollback_rate"):
        del values["train"][name]
    assert RunSpec.from_dict(values).id == RunSpec().id


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"non_finite": "ignore"}, "non_finite='ignore' must be one of"),
        ({"non_finite_limit": 0}, "non_finite_limit=0 must be at least 1"),
        ({"rollback_rate": 2.0}, r"rollback_rate=2\.0 must be in \(0, 1\]"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(make_spec, change, told):
    with pytest.raises(ValueError, match=told):
        make_plan(make_spec({f"train.{key}": value for key, value in change.items()}))
