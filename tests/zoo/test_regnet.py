"""RegNets: generated stages equal the published ones, at every width in whole groups."""

import csv

import pytest

from scaling import zoo
from scaling.cost.counting import count
from scaling.rules.scale import scale
from scaling.zoo.regnet import X, Y

LINES = {**{f"regnetx_{size}": line for size, line in X.items()}, **{f"regnety_{s}": y for s, y in Y.items()}}


def published_name(name: str) -> str:
    """pycls's name: regnetx_002 is RegNetX-200MF, regnety_320 RegNetY-32GF."""
    kind, size = name.removeprefix("regnet").split("_")
    units = int(size)
    flops = f"{units * 100}MF" if units < 10 else f"{units / 10:.0f}GF" if units >= 120 else f"{units / 10}GF"
    return f"RegNet{kind.upper()}-{flops}"


@pytest.fixture(scope="module")
def published(shared):
    with open(shared / "reference" / "regnet_configs.csv") as file:
        return {row["model"]: row for row in csv.DictReader(file)}


def test_every_published_regnet_is_there(published):
    assert {published_name(name) for name in LINES} == set(published)
    assert zoo.names("regnetx") + zoo.names("regnety") == list(LINES)


@pytest.mark.parametrize("name", LINES)
def test_parameters_are_the_published_ones_and_generate_the_published_stages(name, published):
    row, line, stages = published[published_name(name)], LINES[name], zoo.get(name).stages
    typed = [line.depth, line.w_0, line.w_a, line.w_m, line.group_width]
    assert typed == [float(row[key]) for key in ("depth", "w_0", "w_a", "w_m", "group_w")]
    assert "/".join(str(stage.width) for stage in stages) == row["stage_widths"]
    assert "/".join(str(stage.repeats) for stage in stages) == row["stage_depths"]
    assert "/".join(str(stage.block.group_width) for stage in stages) == row["stage_group_widths"]
    assert {stage.block.se_ratio for stage in stages} == {float(row["se"] or 0)}


@pytest.mark.parametrize("name", ["regnetx_080", "regnety_032", "regnety_320"])
@pytest.mark.parametrize("width", [0.1, 0.37, 0.5, 0.9, 1.1, 1.3, 2.0])
def test_widths_are_whole_groups_at_every_factor(name, width):
    base, scaled = zoo.get(name), scale(zoo.get(name), width=width)
    for old, new in zip(base.stages, scaled.stages):
        assert new.width % new.block.group_width == 0
        assert abs(new.width - width * old.width) <= max(new.block.group_width / 2, 8)
        assert abs(new.block.group_width - width * old.block.group_width) <= 4 or new.block.group_width == 8


def test_a_width_that_groups_do_not_divide_is_refused():
    arch = zoo.get("regnetx_002")
    first = arch.stages[0].__class__(arch.stages[0].block, 20, 1, 2)
    with pytest.raises(ValueError, match="group_width=8 must divide the width 20"):
        count(arch.replace(stages=(first, *arch.stages[1:])))
