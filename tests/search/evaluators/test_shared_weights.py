"""Shared weights learn, tell cells apart, and go on after a stop as if there had been none."""

import numpy as np
import pytest

from scaling.runs.spec import RunSpec
from scaling.training.checkpoints import saved_steps
from search.evaluators.shared_weights import SharedWeights
from search.spaces import catalogue, nasbench201, transnas

SPEC = RunSpec.from_config(
    {
        "model": {"base_width": 0.25, "base_depth": 0.2, "base_resolution": 8},
        "data": {"source": "digits", "test": ""},
        "optimizer": {"lr": 0.1, "lr_batch": 0},
        "train": {"batch": 32, "devices": 1},
    }
)
NASNET = catalogue.named(
    "nasnet", blocks=1, operations=["none", "conv_3x3"], leaving="all", filters=32, repeats=[1, 1]
)
# A space, a network of it that learns, and one that sees nothing; by block state, operation, state, operation
MEMBERS = {
    "nasbench201": (nasbench201.SPACE, np.array([3, 1, 2, 1, 2, 3]), np.zeros(6, np.int64)),
    "nasnet": (NASNET, np.array([0, 1, 1, 1] * 2), np.zeros(8, np.int64)),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("nasbench201", marks=pytest.mark.exhaustive),
        pytest.param("nasnet", marks=pytest.mark.nightly),
    ],
)
def test_shared_weights_learn_and_resume(name, tmp_path):
    space, good, none = MEMBERS[name]
    evaluator = SharedWeights(space, SPEC, tmp_path, evaluations=6, steps=20, validation=128)
    before = list(evaluator([good, none]))
    evaluator.save(2)
    after = list(evaluator([good, none, good, none]))
    assert all(found.status == "ok" for found in before + after)
    learnt, blind = (np.mean([found.metrics["val_top1"] for found in after[i::2]]) for i in (0, 1))
    assert learnt > blind + 0.2, "the shared weights do not tell a network from none"
    assert after[0].metrics["val_loss"] < before[0].metrics["val_loss"]
    assert next(evaluator([good])).status == "failed", "more evaluations than steps were planned for"
    evaluator.restore(2)
    again = list(evaluator([good, none, good, none]))
    assert [found.metrics for found in again] == [found.metrics for found in after]
    assert saved_steps(tmp_path) == [2]
    with pytest.raises(ValueError, match="no intact state after 4 evaluations"):
        evaluator.restore(4)


def test_only_a_space_with_a_supernet_shares_weights(tmp_path):
    for space in (transnas.MICRO, catalogue.named("nasnet", blocks=2)):
        with pytest.raises(ValueError, match="no supernet.*leaving='all'"):
            SharedWeights(space, SPEC, tmp_path, evaluations=1)
