"""Nested dicts are changed in copies, and values that read themselves come back as they were written."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import pytest

from scaling.border.typed import build, changed, plain, read_by


def test_changing_leaves_the_argument_alone():
    base = {"model": {"phi": 0.0, "name": "x"}, "seed": 0}
    assert changed(base, {"model.phi": 1.0, "seed": 4}) == {"model": {"phi": 1.0, "name": "x"}, "seed": 4}
    assert base == {"model": {"phi": 0.0, "name": "x"}, "seed": 0}


@dataclass(frozen=True)
class Colour:
    """A value with a dict of its own."""

    red: int

    def to_dict(self):
        return {"hex": f"{self.red:02x}"}

    @staticmethod
    def from_dict(data):
        return Colour(int(data["hex"], 16))


@dataclass(frozen=True)
class Section:
    sizes: tuple[int, ...] = ()
    colour: Colour | None = field(default=None, metadata=read_by(Colour.from_dict))
    free: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Whole:
    name: str = ""
    section: Section = field(default_factory=Section)


@pytest.mark.parametrize("colour", [None, Colour(255)])
def test_what_is_written_is_read_back(colour):
    whole = Whole("x", Section((1, 2), colour, {"deep": {"list": [1]}}))
    assert build(Whole, plain(whole), "config") == whole
    assert plain(whole)["section"]["colour"] == (colour and {"hex": "ff"})


def test_a_value_may_stand_for_its_dict():
    whole = Whole("x", Section((1,), Colour(7)))
    assert build(Whole, {"name": "x", "section": {"sizes": [1], "colour": Colour(7)}}, "config") == whole
    assert (
        build(Whole, {f.name: getattr(whole, f.name) for f in dataclasses.fields(whole)}, "config") == whole
    )


@pytest.mark.parametrize("given", [{}, {"hex": "red"}, {"hex": 3}])
def test_what_a_value_cannot_read_is_an_error_that_names_the_key(given):
    with pytest.raises(ValueError, match=r"config\.section\.colour cannot be read"):
        build(Whole, {"section": {"colour": given}}, "config")
