"""A run's weights out of its directory are its state, and its record is of its network and its data."""

import json

import numpy as np
import pytest

from scaling.training import checkpoints, run
from scaling.training.export import NETWORK, network_record, trained
from scaling.training.plan import make_plan
from scaling.training.progress import Silent
from scaling.training.runtime import Runtime
from scaling.training.state import models
from scaling.weights.preprocessing import Preprocessing


@pytest.mark.representatives(1)
@pytest.mark.parametrize("ema", [0.9, 0.0])
def test_the_exported_weights_are_the_runs_own(make_spec, tmp_path, assert_equal, ema):
    spec = make_spec({"train.ema": ema, "train.duration": "5 steps", "augment.eval_crop": 0.875})
    run(spec, tmp_path, Silent())
    plan = make_plan(spec)
    state, _ = checkpoints.restore(tmp_path / "checkpoints", like=Runtime(plan).first_state())
    for which, expected in models(state).items():
        weights, step = trained(tmp_path, which)
        assert_equal(weights.variables, expected)
        assert weights.arch == plan.arch and step == 5
    assert weights.preprocessing == Preprocessing(
        8, 0.875, "squash", "bilinear", plan.dataset.mean, plan.dataset.std
    )
    assert_equal(trained(tmp_path)[0].variables, models(state)["ema" if ema else "raw"])
    if not ema:
        with pytest.raises(ValueError, match="no 'ema' weights, only raw: config.train.ema was 0"):
            trained(tmp_path, "ema")


def test_the_record_of_the_input_is_what_evaluation_does(make_spec):
    """For images of the network's own side both are the same pixels, normalised."""
    from scaling.data.augment import eval_transform

    spec = make_spec()
    plan = make_plan(spec)
    record = Preprocessing.from_dict(network_record(plan)["preprocessing"])
    image_hwc = plan.dataset.train[0]
    ours = eval_transform(spec.augment, plan.arch.resolution, plan.dataset.mean, plan.dataset.std)
    np.testing.assert_allclose(record.apply(image_hwc), ours(image_hwc[None])[0], rtol=1e-5, atol=1e-6)


def test_what_is_no_run_says_so(tmp_path, make_spec):
    with pytest.raises(ValueError, match="has no network.json"):
        trained(tmp_path)
    (tmp_path / NETWORK).write_text(json.dumps(network_record(make_plan(make_spec()))))
    with pytest.raises(ValueError, match="holds no intact checkpoint"):
        trained(tmp_path)
