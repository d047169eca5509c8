"""Omniglot: grids of characters, and the official runs with what is known first."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from scaling.data.omniglot import CELL, open_omniglot
from scaling.runs.spec import DataSpec


def png(ink: np.ndarray, file) -> None:
    Image.fromarray(np.where(ink, 0, 255).astype(np.uint8)).convert("1").save(file, "PNG")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two alphabets of 2 and 1 characters by 3 drawers; the cell of character c by drawer d has c + d + 1
    rows of ink. A run of two classes."""
    root = tmp_path_factory.mktemp("omniglot")
    cell = lambda rows: np.arange(CELL)[:, None].repeat(CELL, 1) < 10 * rows
    for name in ("background", "evaluation"):
        with zipfile.ZipFile(root / f"{name}.zip", "w") as archive:
            for alphabet, count in (("Latin", 2), ("Greek", 1)):
                grid = np.block([[cell(c + d + 1) for d in range(3)] for c in range(count)])
                with archive.open(f"{alphabet}.png", "w") as file:
                    png(grid, file)
    with zipfile.ZipFile(root / "all_runs.zip", "w") as archive:
        pairs = {"item01": "class02", "item02": "class01"}
        lines = [f"run01/test/{a}.png run01/training/{b}.png" for a, b in pairs.items()]
        archive.writestr("run01/class_labels.txt", "\n".join(lines))
        places = ["training/class01", "training/class02", "test/item01", "test/item02"]
        for i, place in enumerate(places):
            with archive.open(f"run01/{place}.png", "w") as file:
                png(cell(i + 1), file)
    return root


def spec(root, train="background") -> DataSpec:
    return DataSpec("omniglot", dir=str(root), train=train)


def test_characters_come_by_alphabet_with_their_drawers(root):
    source = open_omniglot(spec(root), 21)
    split = source.read("background")
    assert source.class_names == ("Greek 01", "Latin 01", "Latin 02")
    assert split.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    inked = np.round(split.images.mean((1, 2, 3)) / 255 * CELL / 10).astype(int)
    assert inked.tolist() == [1, 2, 3, 1, 2, 3, 2, 3, 4]
    assert source.read("background[3:6]").labels.tolist() == [1, 1, 1]


def test_a_run_has_what_is_known_first(root):
    split = open_omniglot(spec(root), 21).read("runs")
    inked = np.round(split.images.mean((1, 2, 3)) / 255 * CELL / 10).astype(int)
    assert inked.tolist() == [1, 2, 3, 4] and split.labels.tolist() == [0, 1, 1, 0]
    assert split.extra["episode"].tolist() == [0, 0, 0, 0]


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"lacks background\.zip"):
        open_omniglot(spec(tmp_path), 21)


@pytest.mark.nightly
def test_the_real_set_has_its_characters(shared):
    source = open_omniglot(spec(shared / "data" / "tasks" / "omniglot"), 8)
    assert len(source.class_names) == 964 and len(source.read("background")) == 19280
    runs = source.read("runs")
    assert len(runs) == 800 and np.all(np.unique(runs.labels, return_counts=True)[1] == 2)
