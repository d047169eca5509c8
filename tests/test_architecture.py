"""The map in docs/architecture.md names files that exist and leaves no room out."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
MAP = (REPOSITORY / "docs/architecture.md").read_text()
PACKAGES = ("scaling", "search", "configs", "experiments", "tests", "docs")
NAMED = sorted(set(re.findall(rf"\b(?:{'|'.join(PACKAGES)})/[\w./]*\w(?:/|\.\w+)", MAP)))


def test_the_map_names_files():
    assert len(NAMED) > 40


@pytest.mark.parametrize("path", NAMED)
def test_what_the_map_names_exists(path):
    if path != "scaling/zoo/yours.py":  # the example's
        assert (REPOSITORY / path).exists()


@pytest.mark.parametrize("package", ["scaling", "search"])
def test_no_room_is_left_out(package):
    rooms = {path.parent.name for path in (REPOSITORY / package).glob("*/__init__.py")}
    assert not [room for room in rooms if f"`{package}/{room}/`" not in MAP]
