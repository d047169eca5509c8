"""A search's spec: what no search can have is refused, and what is the same search has one id."""

import json

import pytest

from scaling.runs.workdir import check_owner, claim
from search.runs.assemble import assemble
from search.runs.history import History
from search.runs.run import run
from search.runs.spec import SearchSpec
from search.spaces import nasbench201


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


def table(directory, tiles=(8, 16)):
    """The config of a search of a table that is written there."""
    rows = [f"{tile},{unroll},{tile * unroll}" for tile in tiles for unroll in (1, 2)]
    (directory / "t.csv").write_text("\n".join(["tile,unroll,ms", *rows, ""]))
    shown = {"decisions": ["tile", "unroll"], "shown": {"time": "ms"}}
    return {
        "space": {"name": "table"},
        "strategy": {"name": "grid"},
        "objective": {"kind": "minimise", "metric": "time"},
        "evaluator": {"name": "tabular", "settings": {"file": str(directory / "t.csv"), **shown}},
    }


def test_a_table_that_changed_is_another_search(tmp_path):
    spec = SearchSpec.from_config(table(tmp_path))
    assert SearchSpec.from_config(spec.to_dict()) == spec
    assemble(spec, tmp_path)
    claim(tmp_path, spec)
    config = table(tmp_path, (4, 8))
    with pytest.raises(
        ValueError, match=r"settings.file='.*t.csv@.*': the file has changed.*put the file back"
    ):
        assemble(SearchSpec.from_config(spec.to_dict()), tmp_path)
    with pytest.raises(ValueError, match="evaluator.settings.file"):
        check_owner(tmp_path, SearchSpec.from_config(config))
    (tmp_path / "t.csv").unlink()
    with pytest.raises(ValueError, match=r"settings.file='.*t.csv' cannot be read.*name a CSV file"):
        SearchSpec.from_config(config)


def test_a_column_is_pinned_by_its_file(tmp_path):
    lines = ["arch,phone", *("".join(map(str, p)) + ",1" for p in nasbench201.SPACE.points().tolist())]
    (tmp_path / "latency.csv").write_text("\n".join(lines))
    config = {"evaluator": {"name": "zero_cost", "columns": {"phone": f"{tmp_path / 'latency.csv'}:phone"}}}
    spec = SearchSpec.from_config(config)
    assemble(spec, tmp_path)
    (tmp_path / "latency.csv").write_text("\n".join([*lines[:-1], lines[-1] + "0"]))
    assert SearchSpec.from_config(config).id != spec.id
    with pytest.raises(ValueError, match=r"columns.phone='.*latency.csv@.*': the file has changed"):
        assemble(spec, tmp_path)


def test_a_search_from_before_tables_were_pinned_goes_on_while_its_points_mean_the_same(tmp_path):
    config = table(tmp_path)
    claim(tmp_path, SearchSpec.from_dict(config))
    spec = SearchSpec.from_config(config)
    check_owner(tmp_path, spec)
    silent = lambda record, seconds: None
    records = run(assemble(spec, tmp_path), 2, 0, History(tmp_path), silent)
    assert run(assemble(spec, tmp_path), 4, 0, History(tmp_path), silent)[:2] == records
    changed = SearchSpec.from_config(table(tmp_path, (4, 8)))
    check_owner(tmp_path, changed)
    with pytest.raises(ValueError, match=r"\(tile=8,unroll=1\).*\(tile=4,unroll=1\).*its space, table"):
        run(assemble(changed, tmp_path), 4, 0, History(tmp_path), silent)
