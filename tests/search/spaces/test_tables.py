"""Tables of measured values: what is read is what stands there, and what is wrong is named."""

from __future__ import annotations

import gzip
import itertools

import numpy as np
import pytest

from search.spaces import nasbench201, nasbench_macro, transnas, user

HEADER = "kernel,depth,accuracy,latency"
ROWS = [f"{k},{d},{k * 10 + d},{k / d}" for k, d in itertools.product((3, 11), (1, 2, 4))]


def write(directory, rows, header=HEADER):
    path = directory / "networks.csv"
    path.write_text("\n".join([header, *rows, ""]))
    return path


def load(path, **options):
    return user.load(path, ["kernel", "depth"], ["accuracy", "latency"], **options)


def test_a_table_of_ones_own(tmp_path):
    table = load(write(tmp_path, ROWS[::-1]))
    assert table.space.cardinalities == (2, 3)
    point = table.space.from_string("kernel=11,depth=2")
    assert point.tolist() == [1, 1]  # numbers stand in their order, 3 before 11
    assert table.at("accuracy", point) == 112
    assert table.space.to_string(point) == "kernel=11,depth=2"


def test_a_gzipped_table_is_the_same(tmp_path):
    plain = load(write(tmp_path, ROWS))
    zipped = tmp_path / "networks.csv.gz"
    zipped.write_bytes(gzip.compress((tmp_path / "networks.csv").read_bytes()))
    assert np.array_equal(load(zipped).column("latency"), plain.column("latency"))


def test_a_file_that_a_spreadsheet_wrote_has_the_same_header(tmp_path):
    path = write(tmp_path, ROWS)
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert load(path).space.cardinalities == (2, 3)


def test_blank_lines_are_no_points_and_count_as_lines(tmp_path):
    assert load(write(tmp_path, ["", *ROWS[:2], "", "", *ROWS[2:]])).space.size == 6
    with pytest.raises(ValueError, match="line 8: 'kernel=3,depth=2' stands in line 4 already"):
        load(write(tmp_path, ["", *ROWS[:3], "", "", ROWS[1]]))


def test_text_and_empty_cells_are_values_too(tmp_path):
    path = write(tmp_path, ["a,,1", "a,x,2", "b,,3", "b,x,4"], "op,option,score")
    table = user.load(path, ["op", "option"], ["score"])
    assert table.at("score", table.space.from_string("op=b,option=")) == 3


def test_what_is_not_a_number_stands_after_the_numbers(tmp_path):
    """Were "nan" sorted as a number, the order would be that of Python's hashes, another in every process."""
    texts = ["-1", "0.001", "0.01", "0.1", "1", "2", "3", "inf", "-nan", "NaN", "nan", "none"]
    table = user.load(
        write(tmp_path, [f"{t},{i}" for i, t in enumerate(texts)][::-1], "rate,y"), ["rate"], ["y"]
    )
    assert table.column("y").tolist() == list(range(len(texts)))


def test_a_partial_table_is_searched_among_its_lines(tmp_path):
    path = write(tmp_path, ROWS[:-2])
    table = load(path, partial=True)
    assert table.space.size == 4
    with pytest.raises(ValueError, match="depth"):
        table.space.from_string("kernel=11,depth=8")
    with pytest.raises(ValueError, match="not in space"):
        table.space.from_string("kernel=11,depth=4")


def test_a_few_lines_of_a_space_that_no_memory_holds_are_refused_by_its_size(tmp_path):
    names = [f"d{i}" for i in range(12)]
    rows = [",".join([str(value)] * 12) + ",1" for value in range(20)]
    path = write(tmp_path, rows, ",".join([*names, "y"]))
    says = rf"lacks {20**12 - 20} of the {20**12} points .*d11=1, .*d11=5, ...\).*partial=True \(--partial\)"
    with pytest.raises(ValueError, match=says):
        user.load(path, names, ["y"])
    assert user.load(path, names, ["y"], partial=True).space.size == 20


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (ROWS[:-1], "lacks 1 of the 6 points of space 'networks' (kernel=11,depth=4)"),
        ([*ROWS, ROWS[2]], "line 8: 'kernel=3,depth=4' stands in line 4 already"),
        ([*ROWS[:-1], "11,4,nan,1"], "line 7: accuracy is 'nan', not a finite number"),
        ([*ROWS[:-1], "11,4,12,"], "line 7: latency is '', not a finite number"),
        ([*ROWS[:-1], "11,4,12,fast"], "line 7: latency is 'fast'"),
        ([*ROWS[:-1], "11,4,12,inf"], "line 7: latency is 'inf'"),
        ([*ROWS[:-1], "11,4,12"], "line 7: not 4 cells"),
        ([*ROWS[:-1], "11,4,12,1,5"], "line 7: not 4 cells"),
        ([], "has no rows"),
    ],
)
def test_bad_lines_are_named(tmp_path, rows, says):
    with pytest.raises(ValueError) as error:
        load(write(tmp_path, rows))
    assert says in str(error.value)


def test_a_value_outside_the_space_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"line 4: depth='4' is not a value of the space.*\['1', '2'\]"):
        load(write(tmp_path, ROWS), values={"depth": ["1", "2"]})


def test_a_missing_column_is_named_with_the_nearest(tmp_path):
    path = write(tmp_path, ROWS)
    with pytest.raises(ValueError, match="no column 'kernal'; did you mean 'kernel'"):
        user.load(path, ["kernal"], ["accuracy"])
    with pytest.raises(ValueError, match="no column 'top1'"):
        user.load(path, ["kernel", "depth"], ["top1"])
    with pytest.raises(KeyError, match="did you mean 'accuracy'"):
        load(path).column("acuracy")
    with pytest.raises(ValueError, match="at least one decision"):
        user.load(path, [], ["accuracy"])
    with pytest.raises(ValueError, match=r"\['kernel', 'kernel'\] names a decision twice"):
        user.load(path, ["kernel", "kernel"], ["accuracy"])


def test_a_column_twice_and_a_file_that_is_none(tmp_path):
    with pytest.raises(ValueError, match="twice in its header"):
        load(write(tmp_path, ROWS, "kernel,depth,accuracy,accuracy"))
    with pytest.raises(ValueError, match="cannot be read"):
        load(tmp_path / "absent.csv")
    (tmp_path / "broken.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(ValueError, match="cannot be read"):
        load(tmp_path / "broken.csv.gz")


@pytest.mark.nightly
def test_published_tables_hold_what_is_published(shared):
    directory = shared / "data/nas"
    cells = nasbench201.load(directory)
    best = {"c10": (94.37, 6111), "c100": (73.51, 9930), "in16": (47.31, 857)}
    for short, (accuracy, _) in best.items():
        assert round(cells.column(f"{short}_test_200").max(), 2) == accuracy
    cell = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    assert cells.at("c10_test_200", cells.space.from_string(cell)) == 85.863
    macro = nasbench_macro.load(directory)
    accuracy = macro.column("mean_acc")
    assert {macro.space.to_string(p) for p in macro.space.points()[accuracy == accuracy.max()]} <= {
        "22212202",
        "22212220",
    }
    micro, skeletons = transnas.load_micro(directory), transnas.load_macro(directory)
    scene = {table: table.column("val_class_scene") for table in (micro, skeletons)}
    assert micro.space.points()[scene[micro].argmax()].tolist() == [3, 3, 2, 1, 3, 2]
    assert skeletons.space.to_string(skeletons.space.points()[scene[skeletons].argmax()]) == "64-224131-basic"


def test_a_benchmark_file_that_lost_a_line_is_refused(tmp_path):
    rows = ["arch,run0", *(f"{''.join(map(str, p))},1.0" for p in nasbench_macro.SPACE.points()[1:])]
    (tmp_path / "nasbench_macro.csv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    with pytest.raises(ValueError, match=r"lacks 1 of the 6561 points .*\(00000000\)"):
        nasbench_macro.load(tmp_path)


def test_points_outside_the_space_are_not_looked_up(tmp_path):
    table = load(write(tmp_path, ROWS))
    with pytest.raises(ValueError, match="decision 1 is 3"):
        table.at("accuracy", np.array([[0, 0], [1, 3]]))
