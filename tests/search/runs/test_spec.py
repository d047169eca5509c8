"""A search's spec: what no search can have is refused, and what is the same search has one id."""

import json

import pytest

from search.runs.assemble import assemble
from search.runs.spec import SearchSpec


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"evaluations": 0}, "evaluations=0 must be at least 1"),
        ({"objective": {"kind": "product"}}, "target=0.0 must be above 0"),
        ({"objective": {"kind": "best"}}, "must be one of maximise"),
        ({"evaluator": {"name": "oracle"}}, "must be one of training"),
        ({"strategy": {"widths": [4, 2]}}, "rungs of successive halving"),
        (
            {
                "strategy": {"widths": [4, 2]},
                "evaluator": {"name": "short", "durations": ["1 steps", "2 steps"]},
            },
            "'short' does not",
        ),
        ({"strategies": {}}, "unknown key config.strategies"),
        ({"run": {"train": {"batch": 0}}}, "config.train.batch=0"),
        ({"final": {"best": 0}}, "final.best=0"),
    ],
)
def test_a_config_that_no_search_can_have_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        SearchSpec.from_config(changes)


def test_a_spec_survives_json_and_a_larger_budget_is_the_same_search(training):
    spec = SearchSpec.from_config(training)
    assert SearchSpec.from_config(json.loads(json.dumps(spec.to_dict()))) == spec
    assert SearchSpec.from_config({**training, "evaluations": 50}).id == spec.id
    assert SearchSpec.from_config({**training, "seed": 1}).id != spec.id


def test_a_setting_that_an_evaluator_does_not_take_is_said(tmp_path, training):
    spec = SearchSpec.from_config({**training, "evaluator": {"settings": {"latency": 1}}})
    with pytest.raises(ValueError, match="'training' does not take settings"):
        assemble(spec, tmp_path)
