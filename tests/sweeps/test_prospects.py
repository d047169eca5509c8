"""What is known of trials before they run: plans, refusals, missing data, and what they will take."""

import dataclasses
import math
import os
import re
import signal
import subprocess
import sys

import pytest

from experiments import cli
from scaling.runs import store
from scaling.runs.spec import RunSpec
from scaling.sweeps import estimates as estimating
from scaling.sweeps.expand import trials
from scaling.sweeps.prospects import check, prospects
from scaling.training.rehearsal import Rehearsal, rehearse

CONFIG = {
    "model": {"name": "cifar_resnet20", "base_resolution": 8, "base_width": 0.25},
    "data": {"source": "digits"},
    "train": {"batch": 64, "duration": "10 steps", "eval_every": "0 steps", "devices": 1},
}


def made(*overrides, **data):
    return trials(RunSpec.from_config(CONFIG | ({"data": data} if data else {})), overrides)[0]


@pytest.fixture
def seen(monkeypatch):
    """A stand-in for rehearsals, whose step takes a second; returns the specs of what was rehearsed."""
    asked = []

    def rehearsed(spec, kept):
        again = any(kept.iterdir())
        (kept / str(len(asked))).write_text("compiled")
        asked.append(spec)
        memory = 5 * 10**8 if again else 10**9
        compiling = 1.0 if again else 7.0
        return Rehearsal(2.0, compiling, compiling, 1.0, 4.0, 3.0, memory=memory, before=2 * 10**8)

    monkeypatch.setattr(estimating, "rehearsed", rehearsed)
    return asked


def test_a_plan_is_what_a_run_would_make_and_seeds_share_it():
    small, again, large = prospects(made({"seed": 0}, {"seed": 1}, {"model.phi": 1.0}))
    assert small.plan is again.plan and small.plan.total_steps == large.plan.total_steps == 10
    assert small.plan.cost.macs < large.plan.cost.macs and len(small.plan.dataset.train) == 1299


def test_what_is_too_small_is_refused_and_the_others_are_not():
    good, bad = prospects(made({"model.phi": 0.0}, {"model.phi": -20.0}))
    assert good.plan and not bad.plan and "model.phi=-20" in bad.refusal and "the least is 4" in bad.refusal
    with pytest.raises(ValueError, match="trial model.phi=-20.0 cannot be run: .* choose a larger phi"):
        check([good.trial, bad.trial])


@pytest.mark.parametrize(
    "change, told",
    [
        ({"train.batch": 1400}, "train.batch=1400 is larger than the training split of 1299 images"),
        ({"train.batch": 600, "train.per_class": 150}, "train.per_class"),
        ({"schedule.warmup": "1 epochs"}, "warmup='1 epochs' is 20 steps, not shorter than .* 10 steps"),
        ({"schedule.name": "exponential", "schedule.every": "0.01 epochs"}, "less than one step"),
        ({"model.init": "resnet18"}, "model.init='resnet18': .* add the tag"),
        ({"model.init": "./no/where"}, "model.init='./no/where': .* is not a directory"),
        ({"model.init": "resnet19.a1_in1k"}, "model.init='resnet19.a1_in1k': .*resnet18"),
    ],
)
def test_what_training_would_refuse_is_refused_before(change, told):
    good, bad = prospects(made({}, change))
    assert good.plan and not bad.plan and re.search(told, bad.refusal), bad.refusal


def test_data_that_is_not_there_is_told_before_anything_runs(tmp_path):
    with pytest.raises(ValueError, match="does not exist: give the image folder"):
        check(made({}, source="folder", dir=str(tmp_path / "no")))
    with pytest.raises(ValueError, match="is empty: it must hold one sub-folder a class"):
        check(made({}, source="folder", dir=str(tmp_path)))
    check(made({}))
    check([])


def plans(*overrides):
    return [one.plan for one in prospects(made(*overrides))]


def test_the_smallest_and_the_largest_of_a_family_are_rehearsed_and_foretell_themselves(seen):
    small, middle, large = plans({"model.phi": 0.0}, {"model.phi": 1.0}, {"model.phi": 2.0})
    of_large, of_middle, of_small, again = estimating.estimates([large, middle, small, small])
    assert seen == [small.spec, small.spec, large.spec, large.spec]
    assert of_small.seconds == pytest.approx(2 + 2 * 7 + 10 + 4 + 3)  # ten steps and a pass over each split
    assert [of_middle.seconds, of_large.seconds] == pytest.approx([of_small.seconds] * 2)  # as they were seen
    assert again.seconds == pytest.approx(2 + 2 * 1 + 10 + 4 + 3)
    assert (of_small.memory, again.memory) == (10**9, 5 * 10**8)


def test_programs_are_found_again_only_where_a_trial_differs_by_its_seed_alone(seen):
    small, large = plans({"model.phi": 0.0}, {"model.phi": 2.0})
    estimating.estimates([small, large])
    assert seen == [small.spec, large.spec]


def test_what_lies_between_two_networks_lies_on_the_line_through_both_in_logarithms():
    small, middle, large = plans({"model.phi": 0.0}, {"model.phi": 1.0}, {"model.phi": 2.0})
    known = lambda plan, memory: estimating.Known(
        plan, Rehearsal(0.0, 0.0, 0.0, 1.0, 0.0, 0.0, memory=memory, before=0), None, 64, 1.0
    )
    kind = estimating.Kind(known(small, 10**8), known(large, 10**9))
    found = estimating.estimate(middle, kind).memory
    slope = math.log(found / 10**8) / math.log(middle.cost.macs / small.cost.macs)
    assert slope == pytest.approx(math.log(10) / math.log(large.cost.macs / small.cost.macs))


def test_twice_the_steps_take_twice_as_long(seen):
    short, long = plans({}, {"train.duration": "20 steps"})
    of_short, of_long = estimating.estimates([short, long])
    assert of_long.seconds - of_short.seconds == pytest.approx(10.0)


def test_a_step_that_would_take_long_is_rehearsed_on_fewer_images(seen, monkeypatch):
    (plan,) = plans({})
    each = plan.phases[0].macs
    monkeypatch.setitem(estimating.MOST_MACS, "cpu", 17 * each)
    (cut,) = estimating.estimates([plan])
    assert (seen[0].train.batch, seen[0].train.eval_batch) == (16, plan.spec.train.eval_batch // 4)
    assert cut.seconds == pytest.approx(2 + 14 + 4 * 10 + 4 + 3)
    assert cut.memory == 2 * 10**8 + 4 * 8 * 10**8


def test_a_rehearsal_is_of_the_run_s_own_programs_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = made({"train.devices": 1})[0].spec
    found = rehearse(spec)
    assert found.step > 0 and found.validation > 0 and found.test > 0 and found.compiling_step > 0
    assert found.memory >= found.before > 0
    assert not list(tmp_path.iterdir())


def _killed(spec, kept):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.nightly
def test_a_rehearsal_that_is_killed_is_told(monkeypatch, tmp_path):
    """As the kernel kills for lack of memory."""
    monkeypatch.setattr(estimating, "_started", _killed)
    with pytest.raises(
        ValueError, match="cifar_resnet20 with model.phi=0 could not be tried with train.batch=64"
    ):
        estimating.rehearsed(made({})[0].spec, tmp_path)


def test_what_a_rehearsal_refuses_is_refused_here(monkeypatch, tmp_path):
    spec = made({})[0].spec
    wrong = dataclasses.replace(spec, task="no such task")
    with pytest.raises(ValueError, match="no such task") as refused:
        estimating.rehearsed(wrong, tmp_path)
    assert cli._is_ours(refused.value)


@pytest.mark.nightly
def test_a_run_takes_the_memory_that_it_was_estimated_to(tmp_path):
    config, workdir = tmp_path / "few.py", tmp_path / "runs"
    config.write_text(
        "from ml_collections import ConfigDict\n"
        f"def get_config():\n    return ConfigDict({CONFIG!r})\n"
        "def get_sweep():\n    return [{'seed': 0}, {'seed': 1}]\n"
    )
    flags = [f"--config={config}", f"--workdir={workdir}"]
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled")}
    for more in (["--dry_run"], []):
        command = [sys.executable, "-m", "experiments.sweep", *flags, *more]
        subprocess.run(command, check=True, env=environment, capture_output=True, timeout=300)
    rows = list(store.scan(workdir).rows.values())
    assert len(rows) == 2
    for row in rows:
        assert row.estimated_memory == pytest.approx(row.peak_memory, rel=0.25)
