"""The coefficient grid's report, from rows of a study with a known best point."""

import csv
import dataclasses
import io

import numpy as np
import pytest

from scaling.reports.coefficients import ranking, to_csv, to_markdown
from scaling.reports.curve import validation
from scaling.reports.grid import grids_of
from scaling.reports.heat_map import save_heat_map
from scaling.reports.labels import size_label
from scaling.reports.study import Study
from scaling.rules.factors import compound_grid
from scaling.runs.spec import ModelSpec, RunSpec, TrainSpec
from scaling.sweeps.run import lost_row

MACS = 10**6


def row(model: ModelSpec, seed: int, steps: int, error: float, macs: float):
    spec = RunSpec(seed=seed, model=model, train=TrainSpec(duration=f"{steps} steps"))
    return dataclasses.replace(
        lost_row(spec, "ok", "", 1.0),
        macs=int(macs), params=10, steps=steps, dataset="digits", metrics={"val_top1": 1 - error, "test_top1": 1 - error - 0.01},
    )  # fmt: skip


def study(noise: float = 0.001, lengths=(100, 300), seeds: int = 3) -> Study:
    """Error 0.3 at the base, 0.25 at its points and less with depth; the training length has no effect."""
    random, rows = np.random.default_rng(1), []
    for steps in lengths:
        for seed in range(seeds):
            for rule in compound_grid(0.2, 0.1):
                model = ModelSpec(phi=1.0, alpha=rule.depth, beta=rule.width, gamma=rule.resolution)
                error = 0.25 - 0.02 * (rule.depth - 1) + noise * random.standard_normal()
                rows.append(row(model, seed, steps, error, 2.0 * MACS * rule.depth**0.1))
            if steps == max(lengths):
                rows.append(row(ModelSpec(), seed, steps, 0.3 + noise * random.standard_normal(), MACS))
    return Study(tuple(rows))


def test_rows_become_one_grid_a_length_with_base_and_kinds():
    short, full = grids_of(study())
    assert (short.steps, full.steps, len(full.points)) == (100, 300, 6)
    assert short.base is None and full.base is not None and full.target == 2 * MACS
    kinds = {point.kind: point.label for point in full.points}
    assert kinds["depth"] == "(2, 1, 1) depth" and kinds["width"] == "(1, 1.4, 1) width"
    assert full.named("paper") is None and full.points[full.named("depth")].rule.depth == 2


def test_the_best_point_is_named_with_its_margins():
    grids = grids_of(study())
    text = to_markdown(grids, "digits", eta=3)
    assert "| 1 | (2, 1, 1) depth |" in text and "Best: (2, 1, 1) depth. It is better than" in text
    margins = next(line for line in text.splitlines() if line.startswith("| (1, 1.4, 1) width |"))
    assert margins.count("**") == 6, "20 points in a thousandth's noise can be told apart"
    assert "1.00 to 1.07 times the target of 2.00 M MACs" in text
    assert "100 steps for all 6 points, 300 for the best 2: saves 33%" in text and "is among them" in text


def test_halving_alone_says_what_its_risk_would_need():
    rows = tuple(row for row in study().rows if row.steps == 100 or row.spec.model.alpha > 1.3)
    text = to_markdown(grids_of(Study(rows)), "digits", eta=3)
    assert "not known: 3 of these points have no full run" in text and "Rank correlation" not in text


def test_in_noise_nothing_is_separable_and_the_text_says_so():
    text = to_markdown(grids_of(study(noise=0.05)), "digits", eta=3)
    assert "It cannot be told apart from any other point." in text and "**" not in text.partition("Margin")[2]


def test_one_seed_ranks_without_an_interval():
    text = to_markdown(grids_of(study(seeds=1, lengths=(300,))), "digits", eta=3)
    assert "cannot be said from one run a point" in text and "±" not in text.partition("| rank")[2]


def test_the_correction_takes_out_what_macs_alone_explain():
    rows = [
        row(ModelSpec(phi=1.0, alpha=alpha), seed, 300, 0.3 * (macs / MACS) ** -0.2, macs)
        for alpha, macs in ((1.2, 1.8e6), (1.3, 2.3e6))
        for seed in range(2)
    ]
    rows += [row(ModelSpec(), seed, 300, 0.3, MACS) for seed in range(2)]
    grid = grids_of(Study(tuple(rows)))[0]
    raw, level = ranking(grid), ranking(grid, grid.at_target(validation))
    assert raw.means[1] - raw.means[0] > 0.01
    assert level.means[0] == pytest.approx(level.means[1], abs=1e-3)


def test_csv_holds_every_point_of_every_length():
    lines = list(csv.DictReader(io.StringIO(to_csv(grids_of(study())))))
    assert len(lines) == 12 and {line["steps"] for line in lines} == {"100", "300"}
    assert all(float(line["validation half interval"]) > 0 for line in lines)


def test_rows_of_two_recipes_are_refused_by_name():
    first, *rest = study().rows
    train = dataclasses.replace(first.spec.train, batch=32)
    other = dataclasses.replace(first, spec=dataclasses.replace(first.spec, train=train))
    with pytest.raises(ValueError, match=r"train\.batch"):
        grids_of(Study((other, *rest)))
    with pytest.raises(ValueError, match="Run the sweep first"):
        grids_of(Study(tuple(dataclasses.replace(one, status="failed") for one in rest)))


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_heat_map_is_drawn(seeds, tmp_path):
    save_heat_map(grids_of(study(seeds=seeds))[-1], "digits", tmp_path / "map.png")
    assert (tmp_path / "map.png").read_bytes()[:4] == b"\x89PNG"


def test_sizes_of_other_bases_can_be_told_apart_in_a_table():
    own = row(ModelSpec(phi=1.0, alpha=1.4, beta=1.1, gamma=1.1), 0, 1, 0.1, 1.0)
    paper = row(ModelSpec(phi=1.0), 0, 1, 0.1, 1.0)
    assert (size_label(own), size_label(paper)) == ("φ=1 (1.4, 1.1, 1.1)", "φ=1")
