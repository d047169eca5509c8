"""The page of all networks is what the code counts, and published sizes are ours, or a note says why not."""

from pathlib import Path

import pytest

from experiments import zoo as command
from experiments.tables.conventions import fvcore, products, products_and_biases
from experiments.tables.published import agrees, sizes
from scaling import zoo

PAGE = Path(__file__).resolve().parents[2] / "docs" / "zoo.md"
# Quick to count, one of each kind of source
QUICK = ("resnet18", "vgg11_bn", "mobilenetv1_100", "regnetx_002", "squeezenet1_1", "convnext_tiny")


def test_the_page_lists_every_network_once_and_in_order():
    listed = [line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    families = dict.fromkeys(arch.family for arch in command.listed().values())
    assert listed == [name for family in families for name in zoo.names(family)]


@pytest.mark.representatives(1)
@pytest.mark.parametrize("name", QUICK)
def test_a_line_is_what_is_counted(name):
    assert set(command.lines_of(name)) <= set(PAGE.read_text().splitlines())


@pytest.mark.nightly
@pytest.mark.parametrize("family", dict.fromkeys(arch.family for arch in command.listed().values()))
def test_a_family_is_written_by_the_command_and_a_published_size_is_ours_or_has_a_note(family):
    assert f"{command.section(family)}\n" in PAGE.read_text() + "\n"
    for size in sizes():
        if zoo.get(size.name).family == family:
            assert agrees(size) != bool(size.note), size


def test_the_page_is_its_introduction_and_a_section_a_family(monkeypatch):
    monkeypatch.setattr(command, "lines_of", lambda name: [])
    without_lines = [line for line in PAGE.read_text().splitlines() if not line.startswith(("| `", "| | "))]
    assert without_lines == command.page().splitlines()


@pytest.mark.representatives(3)
@pytest.mark.parametrize(
    "size", [s for s in sizes() if s.name in QUICK], ids=lambda s: f"{s.name}-{s.convention}"
)
def test_a_published_size_is_ours(size):
    assert agrees(size)


def test_published_sizes_are_of_networks_that_there_are():
    assert {size.name for size in sizes()} <= command.listed().keys()


def test_conventions_differ_by_what_they_add():
    """AlexNet has biases and no norm, MobileNetV1 norms and one bias vector, that of the classifier."""
    alexnet, mobilenet = zoo.get("alexnet"), zoo.get("mobilenetv1_100")
    assert products_and_biases(alexnet) > products(alexnet) == fvcore(alexnet)
    assert products_and_biases(mobilenet) == products(mobilenet) + 1000
    assert fvcore(mobilenet) > products_and_biases(mobilenet)
