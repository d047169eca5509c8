"""What is known of trials before they run: plans, refusals, missing data, and what they will take."""

import dataclasses

import pytest

from scaling.cost.measuring import Measurement
from scaling.runs.spec import RunSpec
from scaling.sweeps import estimates as estimating
from scaling.sweeps.expand import trials
from scaling.sweeps.prospects import check, prospects

CONFIG = {
    "model": {"name": "cifar_resnet20", "base_resolution": 8, "base_width": 0.25},
    "data": {"source": "digits"},
    "train": {"batch": 64, "duration": "10 steps", "eval_every": "0 steps", "devices": 1},
}


def made(*overrides, **data):
    return trials(RunSpec.from_config(CONFIG | ({"data": data} if data else {})), overrides)[0]


@pytest.fixture
def measured(monkeypatch):
    """A stand-in for a measurement, whose step takes a second and a gigabyte; returns what was measured."""
    asked = []

    def measure(arch, batch, **options):
        asked.append((arch, batch))
        return Measurement("train", batch, 1000.0, 7.0, 10**9, "cpu")

    monkeypatch.setattr(estimating, "measure", measure)
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


def test_data_that_is_not_there_is_told_before_anything_runs(tmp_path):
    with pytest.raises(ValueError, match="does not exist: give the image folder"):
        check(made({}, source="folder", dir=str(tmp_path / "no")))
    with pytest.raises(ValueError, match="is empty: it must hold one sub-folder a class"):
        check(made({}, source="folder", dir=str(tmp_path)))
    check(made({}))
    check([])


def plans(*overrides):
    return [one.plan for one in prospects(made(*overrides))]


def test_the_smallest_and_the_largest_of_a_family_are_measured_and_foretell_themselves(measured):
    small, middle, large = plans({"model.phi": 0.0}, {"model.phi": 1.0}, {"model.phi": 2.0})
    of_large, of_middle, of_small, again = estimating.estimates([large, middle, small, small])
    assert measured == [(small.arch, 64), (large.arch, 64)]
    examined = len(small.dataset.validation) * small.cost.macs
    steps = 10 + examined / (3 * 64 * small.cost.macs)
    compiling = estimating.SECONDS * 7.0
    assert of_small.seconds == pytest.approx(compiling + steps)
    assert of_large.seconds == pytest.approx(of_small.seconds)  # as measured: a step of either takes a second
    assert of_middle.seconds == pytest.approx(of_small.seconds)
    assert of_large.memory > of_small.memory > 10**9
    assert again.seconds == pytest.approx(estimating.SECONDS_FOUND * 7.0 + steps)
    assert again.memory <= of_small.memory


def test_twice_the_steps_take_twice_as_long(measured):
    short, long = plans({}, {"train.duration": "20 steps"})
    of_short, of_long = estimating.estimates([short, long])
    assert of_long.seconds - of_short.seconds == pytest.approx(10.0)


def test_a_step_that_would_take_long_is_measured_on_fewer_images(measured):
    (plan,) = plans({})
    large = dataclasses.replace(plan, cost=dataclasses.replace(plan.cost, macs=10**9))
    estimating.estimates([large])
    assert measured[0][1] == estimating.MOST_MACS["cpu"] // (3 * 10**9)
