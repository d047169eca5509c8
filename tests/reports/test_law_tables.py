"""One law has one variable, and the tables say what the laws do."""

import dataclasses

import pytest

from scaling.reports.build import read_study
from scaling.reports.curve import score_of
from scaling.reports.law_tables import candidates, curves, to_markdown
from scaling.reports.study import Study


@pytest.fixture
def study(workdir):
    return read_study([workdir])


@pytest.fixture
def lengths(study):
    """Every finished run again at twice and four times the length, with a lower error."""
    made = []
    for row in (r for r in study.rows if r.status == "ok"):
        for times in (1, 2, 4):
            train = dataclasses.replace(row.spec.train, duration=f"{times} epochs")
            spec = dataclasses.replace(row.spec, train=train)
            changes = {"id": f"{row.id}-{times}", "spec": spec, "examples_seen": 1000 * times}
            score = 1 - (1 - score_of(row)) * times**-0.3
            flops = row.train_flops * times
            made.append(dataclasses.replace(row, metrics={"test_top1": score}, train_flops=flops, **changes))
    return Study(tuple(made))


def section(text, heading):
    return text.split(f"## {heading}")[1].split("## ")[0]


def test_runs_of_one_length_make_one_law_a_series(study):
    found = curves(study, "macs")
    assert [c.name for c in found] == ["cifar_resnet", "efficientnet"]
    assert [c.law.sizes for c in found] == [4, 4] and not any(c.one_network for c in found)


def test_lengths_part_a_series_along_macs(lengths):
    found = curves(lengths, "macs")
    assert len(found) == 6 and all(
        len({r.examples_seen for g in c.points for r in g.rows}) == 1 for c in found
    )
    assert found[0].name == "cifar_resnet · 1 epochs"
    assert all(c.law.sizes == 4 and not c.one_network for c in found)


@pytest.mark.parametrize("axis", ["train_flops", "examples"])
def test_networks_part_a_series_along_training(lengths, axis):
    found = curves(lengths, axis)
    assert len(found) == 8 and all(c.one_network for c in found)
    assert {"efficientnet φ=−2", "efficientnet φ=1"} <= {c.name for c in found}
    assert all(c.law.sizes == 3 and c.law.b == pytest.approx(0.3, abs=0.01) for c in found)


def test_a_budget_pays_for_networks_up_to_it(study):
    found = curves(study, "macs")
    able = candidates(found, "macs", 2.1e6, extrapolate=False)
    assert [c.label for c in able] == [f"efficientnet φ={phi}" for phi in ("−2", "−1", "0")]
    assert [c.x for c in able] == [0.5e6, 1e6, 2e6]
    assert candidates(found, "macs", 1e5, extrapolate=True) == []


def test_a_network_of_several_lengths_stands_at_the_budget(lengths):
    found = curves(lengths, "examples")
    assert {c.x for c in candidates(found, "examples", 3000, extrapolate=False)} == {3000}
    assert candidates(found, "examples", 9000, extrapolate=False) == []
    assert len(candidates(found, "examples", 9000, extrapolate=True)) == 8


def test_every_series_is_in_every_table(study):
    text = to_markdown(curves(study, "macs"), "macs", largest=1)
    headings = (
        "Laws along MACs",
        "Held-out extrapolation: 1 largest size",
        "Series at equal MACs",
        "Which network",
    )
    for heading in headings:
        assert "efficientnet" in section(text, heading)
    held_out = [line for line in section(text, headings[1]).splitlines() if "| 3 |" in line]
    assert len(held_out) == 2 and all(line.endswith(("yes |", "no |")) for line in held_out)
    assert section(text, headings[2]).count("| cifar_resnet |") == 3


def test_what_cannot_be_tested_or_compared_is_said(study):
    found = curves(study, "macs")
    text = to_markdown(found, "macs", largest=3, budgets=[1e9])
    assert "cifar_resnet: not tested, 4 sizes and 5 needed." in text
    assert "no series covers it" in text
    assert "(extrapolated)" in to_markdown(found, "macs", largest=3, budgets=[1e9], extrapolate=True)
    alone = [c for c in found if c.name == "efficientnet"]
    assert "1.00 k | no network that was run" in to_markdown(alone, "macs", largest=1, budgets=[1e3])
