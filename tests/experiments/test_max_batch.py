"""The max_batch command: what it prints fits and fills the budget, was run, and bad input is told."""

import re

import jax
import pytest

from experiments import max_batch
from scaling import zoo
from scaling.cost.measuring import measure

SMALL = ["--model=lenet5", "--resolution=28"]


@pytest.fixture(autouse=True)
def asked(monkeypatch) -> list[bool]:
    """Leave the user's own caches alone; a list of the times that the process was made ready."""
    times: list[bool] = []
    monkeypatch.setattr(max_batch, "start", lambda devices: times.append(devices))
    return times


def numbers(text: str) -> dict[str, int]:
    found = re.search(r"largest batch: (\d+)\nmemory: ([\d,]+) bytes of ([\d,]+)", text)
    assert found, text
    return dict(zip(("batch", "memory", "budget"), (int(part.replace(",", "")) for part in found.groups())))


def test_the_batch_found_fits_and_fills_the_budget(capsys, asked):
    max_batch.main([*SMALL, "--mode=inference", "--memory=4MB"])
    told = numbers(capsys.readouterr().out)
    assert asked and told["budget"] == 4_000_000 and 0.9 * 4e6 <= told["memory"] <= 4e6
    arch = zoo.get("lenet5").replace(resolution=28)
    assert measure(arch, told["batch"], "inference", repeats=1).memory == told["memory"]


def test_a_step_that_fails_leads_to_a_smaller_batch_and_a_line(capsys, monkeypatch):
    tried = []

    def full_above_50(arch, batch, **options):
        tried.append(batch)
        if batch > 50:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")
        return measure(arch, batch, **options)

    monkeypatch.setattr(max_batch, "largest_batch", lambda *_, **__: 60)
    monkeypatch.setattr(max_batch, "measure", full_above_50)
    max_batch.main([*SMALL, "--mode=inference", "--memory=1GB"])
    printed = capsys.readouterr().out
    assert tried == [60, 54, 48] and numbers(printed)["batch"] == 48
    assert "a step of 60 ran out of memory" in printed and "trying 48" in printed


def test_another_error_of_a_step_is_not_hidden(monkeypatch):
    def broken(*_, **__):
        raise jax.errors.JaxRuntimeError("INTERNAL: broken")

    monkeypatch.setattr(max_batch, "largest_batch", lambda *_, **__: 4)
    monkeypatch.setattr(max_batch, "measure", broken)
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        max_batch.main([*SMALL, "--memory=1GB"])


def test_the_budget_stays_below_what_is_available(capsys, monkeypatch):
    monkeypatch.setattr(max_batch, "available_memory", lambda: 4_000_000)
    max_batch.main([*SMALL, "--mode=inference"])
    assert numbers(capsys.readouterr().out)["budget"] <= 0.9 * 4_000_000


@pytest.mark.parametrize(
    "text, expected", [("100", 100), ("8GB", 8 * 10**9), ("1.5 GiB", 3 * 2**29), ("2mb", 2 * 10**6)]
)
def test_bytes_are_read_with_their_unit(text, expected):
    assert max_batch.read_bytes(text) == expected


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--model=resnet51"], "did you mean 'resnet50'"),
        ([*SMALL, "--memory=lots"], "--memory=lots must be a number of bytes"),
        ([*SMALL, "--memory=0"], "--memory=0 must be"),
        ([*SMALL, "--memory=1"], "not one image of lenet5 at 28 px fits in 1 bytes"),
        ([*SMALL, "--remat=first"], "--remat=first must list stages by index"),
        ([*SMALL, "--remat=7"], r"remat=\(7,\) names stage 7"),
    ],
)
def test_bad_input_says_what_to_do(argv, message):
    with pytest.raises((KeyError, ValueError), match=message):
        max_batch.main(argv)
