"""Published tables beside ours: exact figures agree or have a reason, and are typed as they were printed."""

import csv
import dataclasses
import math
from pathlib import Path

import pytest

from experiments import reproduce
from experiments.tables import committed, mobile, open_rows, proxy, render
from experiments.tables.coefficients import AXES, implied_phi
from experiments.tables.entry import Entry, Table
from experiments.tables.wanted import Wanted
from scaling import zoo
from scaling.cost.closed_form import totals
from scaling.rules.factors import EFFICIENTNET, EFFICIENTNET_ROWS
from scaling.runs.rows import Row
from scaling.runs.rows_csv import to_csv
from scaling.runs.spec import ModelSpec, RunSpec

NAMES = list(reproduce.TABLES)


@pytest.fixture(scope="module")
def tables():
    """The tables by name, each made when it is first asked for: some networks take seconds to count."""

    class Made(dict):
        def __missing__(self, name):
            self[name] = reproduce.TABLES[name]()
            return self[name]

    return Made()


@pytest.mark.representatives("efficientnet-3", "cifar-resnet-6", "regnet")
@pytest.mark.parametrize("name", NAMES)
def test_an_exact_figure_equals_the_papers_or_says_why_not(name, tables):
    exact = [
        entry for entry in tables[name].entries if entry.exact and entry.paper and entry.ours is not None
    ]
    for entry in exact:
        assert entry.agrees or entry.reason, (
            f"{entry.row}, {entry.column}: {entry.paper} against {entry.ours}"
        )
        assert not (entry.agrees and entry.reason), f"{entry.row}, {entry.column} agrees: the reason is stale"


@pytest.mark.representatives("efficientnet-3", "cifar-resnet-6", "regnet", "lenet5", "efficientdet")
@pytest.mark.parametrize("name", NAMES)
def test_every_entry_cites_a_source_and_an_empty_one_says_what_is_missing(name, tables):
    entries = tables[name].entries
    assert entries
    for entry in entries:
        assert entry.source
        assert entry.ours is not None or entry.reason


def figures(table: Table) -> dict[tuple[str, str], list[float]]:
    """Printed numbers by row and column; a row may stand in a table twice, with two sources."""
    found: dict[tuple[str, str], list[float]] = {}
    for entry in table.entries:
        if entry.paper and entry.paper[0].isdigit():
            found.setdefault((entry.row, entry.column), []).append(float(entry.paper))
    return found


def reference(shared, name):
    with open(shared / "reference" / name) as file:
        return list(csv.DictReader(file))


def papers(shared, paper, *tables):
    return [
        row
        for row in reference(shared, "scaling_papers.csv")
        if row["paper"] == paper and row["table"] in tables
    ]


def number(text: str) -> float | None:
    return float(text) if text else None


def assert_typed(typed, expected):
    """Every expected {(row, column): number} is typed so."""
    assert expected
    for key, value in expected.items():
        assert any(math.isclose(value, printed) for printed in typed[key]), (key, value, typed[key])


@pytest.mark.nightly
def test_efficientnet_tables_are_typed_as_printed(tables, shared):
    rows = [r for r in reference(shared, "efficientnet_table2_imagenet.csv") if r["paper_version"] == "v5"]
    columns = {"params (M)": "params_m", "MACs (G)": "flops_b", "top-1 (%)": "top1", "top-5 (%)": "top5"}
    expected = {(r["model"], c): float(r[k]) for r in rows for c, k in columns.items() if r[k]}
    assert_typed(figures(tables["efficientnet-2"]), expected)
    assert len(expected) == len(figures(tables["efficientnet-2"]))

    layers = figures(tables["efficientnet-1"])
    columns = {
        "kernel": "kernel",
        "input side (px)": "input_resolution",
        "channels": "channels",
        "layers": "layers",
    }
    for row in reference(shared, "efficientnet_table1_b0.csv"):
        assert_typed(layers, {(f"stage {row['stage']}", c): float(row[k]) for c, k in columns.items()})


def test_the_efficientdet_table_is_typed_as_printed(tables, shared):
    columns = {
        "params (M)": "published_params_m",
        "MACs (G)": "published_flops_b_multiply_adds",
        "AP test-dev (%)": "published_coco_test_ap",
        "AP val (%)": "published_coco_val_ap",
    }
    rows = [row for row in reference(shared, "dense_tasks.csv") if row["published_params_m"]]
    names = {
        row["model"]: f"EfficientDet-{row['model'].rpartition('_')[2].upper().replace('X', 'x')}"
        for row in rows
    }
    expected = {(names[row["model"]], c): float(row[k]) for row in rows for c, k in columns.items()}
    assert_typed(figures(tables["efficientdet-1"]), expected)
    assert len(expected) == len(figures(tables["efficientdet-1"]))


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("efficientnet-3", "efficientnet_table3_scaling_existing.csv"),
        ("efficientnet-7", "efficientnet_table7_scaling_b0.csv"),
    ],
)
def test_scaled_rows_are_typed_as_printed_and_recount_as_the_reference(name, file, tables, shared):
    rows = [r for r in reference(shared, file) if r.get("paper_version", "v5") == "v5"]
    by_column = {c: [e for e in tables[name].entries if e.column == c] for c in ("MACs (G)", "top-1 (%)")}
    for row, macs, top1 in zip(rows, by_column["MACs (G)"], by_column["top-1 (%)"], strict=True):
        assert (float(macs.paper), float(top1.paper)) == (float(row["flops_b_published"]), float(row["top1"]))
        if row["recount_macs_g"]:
            # the reference recounts MobileNetV1's compound row at another rounding of its 291.2 pixels
            assert macs.ours == pytest.approx(float(row["recount_macs_g"]), rel=0.015)


def test_mobile_tables_are_typed_as_printed(tables, shared):
    for name, paper, table in [("mobilenetv1-6", "MobileNetV1", "Table 6"), ("mobilenetv1-7", "MobileNetV1", "Table 7"),
                               ("mobilenetv2-4", "MobileNetV2", "Table 4")]:  # fmt: skip
        typed = figures(tables[name])
        for row in papers(shared, paper, table):
            model = (
                row["model"].replace("1 MobileNet-224", "1.0 MobileNet-224")
                if table == "Table 6"
                else row["model"]
            )
            expected = {
                (model, "MACs (M)"): 1000 * float(row["macs_g"]),
                (model, "params (M)"): float(row["params_m"]),
            }
            if row["metric"] == "top1_acc":
                expected[model, "top-1 (%)"] = float(row["value"])
            assert_typed(typed, expected)
    typed = figures(tables["shufflenetv1-2"])
    for row in papers(shared, "ShuffleNetV1", "Table 2"):
        model = row["model"]
        assert_typed(
            typed,
            {
                (model, "MACs (M)"): 1000 * float(row["macs_g"]),
                (model, "top-1 error (%)"): float(row["value"]),
            },
        )


def test_mnasnet_grid_is_typed_as_printed(tables, shared):
    rows = [r for r in reference(shared, "imagenet_models.csv") if r["model"].startswith("MnasNet-A1 x")]
    typed = figures(tables["mnasnet-grid"])
    assert len(rows) == 25
    for row in rows:
        model = f"{row['model']} {row['resolution']} px"
        assert_typed(typed, {
            (row["model"], "params (M)"): float(row["params_m"]),
            (model, "MACs (M)"): 1000 * float(row["macs_g"]),
            (model, "top-1 (%)"): float(row["top1"]),
        })  # fmt: skip


def expanded_values(arch):
    """The output values of a network's stem and of its blocks' expansions."""
    side, channels = arch.resolution // 2, arch.stem[0].width
    values = channels * side**2
    for stage in arch.stages:
        for stride in (stage.stride, *[1] * (stage.repeats - 1)):
            values += stage.block.expand * channels * side**2 if stage.block.expand != 1 else 0
            side, channels = -(-side // stride), stage.width
    return values


@pytest.mark.parametrize("width", mobile.MNASNET_GRID)
def test_an_operation_an_expanded_value_is_what_mnasnet_s_counts_grow_by(width):
    """What is left is the same at every resolution, within the last digit printed."""
    suffix, _, printed, _ = mobile.MNASNET_GRID[width]
    left = []
    for side, macs in zip(mobile.SIDES, printed, strict=True):
        arch = zoo.get(f"semnasnet_{suffix}").replace(resolution=side)
        left.append(float(macs) - (totals(arch).macs + expanded_values(arch)) / 1e6)
    assert max(left) - min(left) < 0.1 and 0 < min(left) and max(left) < 0.3


CIFAR = [
    ("wrn-4", "WRN", "Table 4"), ("wrn-5", "WRN", "Table 5"), ("cifar-resnet-6", "ResNet", "Table 6"),
    ("resnext-7", "ResNeXt", "Table 7"), ("densenet-2", "DenseNet", "Table 2"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "paper", "table"), CIFAR)
def test_cifar_tables_are_typed_as_printed(name, paper, table, tables, shared):
    typed, rows = figures(tables[name]), papers(shared, paper, table)
    keys = set()
    for row in rows:
        dataset = row["dataset"].replace(" (no augmentation)", "")
        expected = {(row["model"], f"{dataset} test error (%)"): float(row["value"])}
        expected[row["model"], "params (M)"] = float(row["params_m"])
        assert_typed(typed, expected)
        keys |= set(expected)
    assert keys == set(typed)


def test_densenet_3_and_efficientnetv2_and_resnet_rs_are_typed_as_printed(tables, shared):
    typed = figures(tables["densenet-3"])
    for row in papers(shared, "DenseNet", "Table 3"):
        if row["other"] == "single crop":
            column = "top-1 error (%)" if row["metric"] == "top1_err" else "top-5 error (%)"
            assert_typed(typed, {(row["model"], column): float(row["value"])})
    typed = figures(tables["efficientnetv2-7"])
    for row in papers(shared, "EfficientNetV2", "Table 7", "README"):
        if "21k" not in row["model"]:
            columns = {"params (M)": row["params_m"], "MACs (G)": row["macs_g"], "top-1 (%)": row["value"]}
            assert_typed(typed, {(row["model"], c): float(v) for c, v in columns.items() if v})
    typed = figures(tables["resnet-rs"])
    for row in papers(shared, "ResNet-RS", "README", "Table 3"):
        paper_table = row["table"] == "Table 3"
        model = row["model"] if paper_table else f"{row['model']} {row['resolution']} px"
        params = "params (M)" if paper_table else "params with running statistics (M)"
        expected = {(model, params): float(row["params_m"])} if row["params_m"] else {}
        columns = {"top1_acc": "top-1 (%)", "flops_b_counted_as_2xMAC": "FLOPs, 2 a MAC (G)"}
        if row["metric"] in columns:
            expected[model, columns[row["metric"]]] = float(row["value"])
        assert_typed(typed, expected) if expected else None


def test_regnet_is_typed_as_printed(tables, shared):
    typed = figures(tables["regnet"])
    keys = {
        "params": "params",
        "MACs": "macs",
        "activations": "activations",
        "top-1 error (%)": "top1_err_100ep",
    }
    for row in reference(shared, "regnet_configs.csv"):
        assert_typed(typed, {(row["model"], column): float(row[key]) for column, key in keys.items()})


def test_official_coefficients_imply_the_phi_of_the_reference(shared):
    rows = {r["model"].removeprefix("efficientnet-"): r for r in reference(shared, "efficientnet_coefficients.csv")
            if r["family"] == "EfficientNet"}  # fmt: skip
    assert set(rows) == {size.name for size in EFFICIENTNET.sizes}
    for name, width, depth, side in EFFICIENTNET_ROWS:
        row = rows[name]
        official = (float(row["width_coef"]), float(row["depth_coef"]), int(row["eval_resolution"]))
        assert (width, depth, side) == official
        for axis in AXES:
            assert implied_phi(name)[axis] == pytest.approx(float(row[f"implied_phi_{axis}"]), abs=0.051)


def test_rounding_is_to_the_digits_that_the_paper_prints():
    same = Entry("a", "b", "5.3", 5.288548, "here")
    assert same.agrees and same.shown == "5.3" and same.difference == "0"
    more = Entry("a", "b", "16.2", 14.5708, "here")
    assert not more.agrees and more.shown == "14.6" and more.difference == "-1.629 (-10.1 %)"
    assert not Entry("a", "b", "MBConv6", "MBConv1", "here").agrees


def row(**changes) -> Row:
    name = "cifar_resnet20"
    counts = {"params": totals(zoo.get(name)).params, "macs": 40551050, "batch_stats": 0, "activations": 0}
    spec = RunSpec(model=ModelSpec(name=name))
    fields = {"id": "x", "status": "ok", "spec": spec, "arch_name": name, "family": "cifar_resnet",
              "depth_factor": 1.0, "width_factor": 1.0, "resolution": 32, "phi": 0.0, "seed": 0, "metrics": {"test_top1": 0.92, "test_top5": 0.99},
              "dataset": "cifar10", "device_kind": "cpu", "finished": "2026-01-02T00:00:00+00:00"}  # fmt: skip
    return Row(**{**fields, **counts, **changes})


def test_an_accuracy_comes_from_committed_rows_of_just_that_network(tmp_path, monkeypatch):
    study = tmp_path / "study"
    study.mkdir()
    rows = [
        row(id="a", metrics={"test_top1": 0.91, "test_top5": 0.99}),
        row(id="b", seed=1),
        row(id="c", params=5),
        row(id="d", resolution=16),
    ]
    rows += [row(id="e", dataset="fashion_mnist"), row(id="f", status="failed")]
    rows += [row(id="g", metrics={"val_top1": 0.9})]
    (study / "rows.csv").write_text(to_csv(rows))
    arch = zoo.get("cifar_resnet20")
    found = committed.find(Wanted(arch, "cifar10"), "test error (%)", tmp_path)
    assert {r.id for r in found} == {"a", "b"}
    validated = committed.find(Wanted(arch, "cifar10"), "validation (%)", tmp_path)
    assert not committed.find(
        Wanted(arch, "cifar10"), "test error (%)", tmp_path, examples=10
    )  # none is whole
    assert [r.id for r in validated] == ["g"] and committed.mean(validated, "validation (%)") == 0.9
    monkeypatch.setattr(
        committed, "find", lambda wanted, column, **_: found if wanted.arch.depth == 9 else []
    )
    entries = reproduce.TABLES["cifar-resnet-6"]().entries
    errors = {e.row: e for e in entries if not e.exact}
    assert errors["ResNet-20"].ours == pytest.approx(8.5) and "2 runs" in errors["ResNet-20"].reason
    assert errors["ResNet-20"].runs == ("a", "b")
    assert errors["ResNet-32"].ours is None and "cifar10_resnet.py:32" in errors["ResNet-32"].reason
    assert "--config.model.name=cifar_resnet1202" in errors["ResNet-1202"].reason  # no config trains it


@pytest.mark.nightly
def test_the_command_names_all_tables(capsys, monkeypatch):
    monkeypatch.setattr(open_rows, "lines", lambda table: [])
    reproduce.main(["--list"])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        *NAMES,
        *reproduce.SEARCHES,
    ]


def test_the_command_prints_and_writes(capsys, tmp_path):
    reproduce.main(["efficientnet-7", f"--out={tmp_path}"])
    printed = capsys.readouterr().out
    assert "paper | ours | difference" in printed and "2 of 5 exact figures" in printed
    assert (tmp_path / "efficientnet-7.md").read_text() in printed
    lines = list(csv.DictReader((tmp_path / "efficientnet-7.csv").read_text().splitlines()))
    assert lines[0] | {"why": ""} == dict(
        zip(render.COLUMNS, ("baseline", "MACs (G)", "0.4", "0.4", "0", "", lines[0]["source"]))
    )
    with pytest.raises(ValueError, match="did you mean 'efficientnet-7'"):
        reproduce.main(["eficientnet-7"])


def test_a_bar_in_a_cell_does_not_break_the_markdown():
    table = Table("t", (dataclasses.replace(Entry("a|b", "c", "1", 1.0, "s")),))
    lines = [line for line in render.to_markdown(table, "t").splitlines() if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in lines}) == 1 and r"a\|b" in lines[-1]


def test_the_guide_shows_what_the_command_prints(capsys):
    reproduce.main(["efficientnet-coefficients", "--wide"])
    guide = Path(__file__).parents[2] / "docs" / "scaling.md"
    assert capsys.readouterr().out.strip() in guide.read_text()


def test_table_7_at_equal_multiply_adds_comes_from_its_study(tmp_path):
    assert (
        "configs/table7.py" in proxy.table_7(tmp_path).entries[0].reason
    )  # no rows: the command that makes them
    sizes = (
        ModelSpec(rule="depth", phi=2.0),
        ModelSpec(rule="axes", depth=1.4, width=1.2),
        ModelSpec(rule="compound", phi=0.0),
    )
    rows = [
        row(id=f"{i}{seed}", seed=seed, phi=None if size.rule == "axes" else size.phi, spec=RunSpec(seed, size),
            macs=10**6 + i, metrics={"test_top1": 0.5 + 0.1 * i + 0.001 * seed, "test_top5": None})
        for i, size in enumerate(sizes)
        for seed in range(3)
    ]  # fmt: skip
    (tmp_path / "table7").mkdir()
    (tmp_path / "table7" / "rows.csv").write_text(to_csv(rows))
    found = {(entry.row, entry.column): entry for entry in proxy.table_7(tmp_path).entries}
    assert found["depth d=4", "top-1 (%)"].ours == pytest.approx(50.1)
    margin = found["depth d=4", "compound minus it, top-1 (points)"]
    assert margin.ours == pytest.approx(10.0) and margin.reason.endswith("interval: separable")
    assert ("baseline", "compound minus it, top-1 (points)") not in found
