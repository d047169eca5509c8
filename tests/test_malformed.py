"""Malformed input of every kind: a sentence or a value of the right kind, never a traceback from within."""

import random

import pytest

from experiments.faults.malformed import CASES, an_archive, arrays, check, rows_csv, weights

QUICK, NIGHTLY = 25, 400  # cases a kind


def attempt(case, seeds, directory, monkeypatch):
    monkeypatch.chdir(directory)
    failed = {}
    for seed in seeds:
        action = case(random.Random(seed), directory)
        try:
            check(action)
        except BaseException as error:  # noqa: BLE001 - what comes here is what is looked for
            failed[seed] = f"{type(error).__name__}: {str(error)[:300]}"
    assert not failed


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES)
def test_malformed_input_is_refused_in_a_sentence_or_makes_sense(case, tmp_path, monkeypatch):
    attempt(case, range(QUICK), tmp_path, monkeypatch)


# Cases that failed once
FOUND = {rows_csv: (354, 564), an_archive: (73,), arrays: (37, 79, 825), weights: (59,)}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", FOUND)
def test_what_once_failed_from_within_is_refused(case, tmp_path, monkeypatch):
    attempt(case, FOUND[case], tmp_path, monkeypatch)


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES)
def test_much_malformed_input_is_refused_in_a_sentence_or_makes_sense(case, tmp_path, monkeypatch):
    attempt(case, range(QUICK, NIGHTLY), tmp_path, monkeypatch)
