"""Damage of what directories of sweeps and searches hold: named, the rest kept, done again where asked."""

from __future__ import annotations

import json
import random
import shutil
import time
from pathlib import Path

import numpy as np

from experiments.faults import kills, stand_in
from experiments.faults.damages import DAMAGES, flip
from experiments.faults.kind import Kind
from experiments.faults.lab import Lab, finish, is_sentence, refusal
from scaling.reports.build import CSV, PAGE, build, read_study
from scaling.runs import leases, store
from scaling.runs.rows import OK
from scaling.runs.workdir import CONFIG, ROW
from search.core import automaton
from search.core.objectives import maximise
from search.core.space import Space
from search.core.table import Table
from search.evaluators.lookup import Lookup
from search.runs import history
from search.runs.assemble import Search
from search.runs.history import History, Record
from search.runs.run import run
from search.runs.workdir import BEST, GENOTYPE, HISTORY, MARK, RUNS
from search.strategies.catalogue import named

DEEDS = ("good",) * 4
EVALUATIONS = 12


def _whole_sweep(lab: Lab, directory: Path) -> Path:
    """A sweep of stand-ins that nothing happened to."""
    made = stand_in.prepare(directory, DEEDS)
    assert stand_in.executed(made, directory, say=str) == {OK: len(DEEDS)}
    return directory


def _sweep(lab: Lab) -> Path:
    shutil.copytree(lab.once(_whole_sweep), lab.here, dirs_exist_ok=True)
    return lab.here


def sweep_row(lab: Lab, rng: random.Random) -> None:
    """Damage a row of a sweep, or put another's there: it is named, others are reported, it is run again."""
    workdir, made = _sweep(lab), stand_in.trials_of(DEEDS)
    victim, other = rng.sample([trial.spec.id for trial in made], 2)
    foreign = lambda path, rng: shutil.copyfile(workdir / other / ROW, path)
    rng.choice((*DAMAGES, foreign))(workdir / victim / ROW, rng)
    found = store.scan(workdir)
    assert len(found.rows) == 3 and victim not in found.rows, "a damaged row was believed"
    if (workdir / victim / ROW).exists():
        assert victim in found.bad[victim]
        is_sentence(found.bad[victim])
    else:
        assert found.unfinished == (victim,)
    study = read_study([workdir])
    assert len(study.rows) == 3 and len(study.problems) == len(found.bad)
    assert PAGE in build(study, workdir / "report", "damaged")
    assert stand_in.executed(made, workdir, say=str) == {OK: len(made)}
    stand_in.check_whole(made, workdir)
    assert [stand_in.starts(workdir, t) for t in made] == [1 + (t.spec.id == victim) for t in made]


def sweep_rest(lab: Lab, rng: random.Random) -> None:
    """Damage a trial's config, an older attempt, a lease or rows.csv: written again, or waited for."""
    workdir, made = _sweep(lab), stand_in.trials_of(DEEDS)
    directory = workdir / made[0].spec.id
    text = (build(read_study([workdir]), workdir, "whole")[CSV]).read_text()
    (directory / ROW).rename(directory / "attempt-1.json")
    for victim in (directory / CONFIG, directory / "attempt-1.json", workdir / CSV):
        flip(victim, rng)
    lease = directory / ".lease-000001"
    lease.write_bytes(rng.randbytes(rng.randrange(40)))
    driver = leases.Leases(0.3, str)
    until = time.monotonic() + 30.0
    while driver.claim(directory) is None:
        assert time.monotonic() < until, "a damaged lease is never given up"
        time.sleep(0.05)
    driver.close()
    assert stand_in.executed(made, workdir, say=str) == {OK: len(made)}
    stand_in.check_whole(made, workdir)
    assert build(read_study([workdir]), workdir, "whole")[CSV].read_text() == text


def _space() -> Space:
    return Space("boxes", automaton.product([4, 4, 3]))


class Table12:
    """A search of a small table, its programs compiled once, and its whole history."""

    def __init__(self, lab: Lab, directory: Path):
        space = _space()
        table = Table(space, {"y": np.random.default_rng(0).normal(size=space.size)})
        evaluator = Lookup(table, {"y": "y"})
        strategy = named("evolution", space, population=4, tournament=2)
        self._search = Search(space, strategy, evaluator, maximise("y"), 1)
        self.finished = directory / "search"
        self.records = self.run(self.finished)
        self.run(directory / "other", seed=1)
        self.other = directory / "other"

    def run(self, workdir: Path, seed: int = 0) -> list[Record]:
        """Search, or go on searching, in a directory."""
        return run(self._search, EVALUATIONS, seed, History(workdir), lambda record, seconds: None)


def history_lines(lab: Lab, rng: random.Random) -> None:
    """Damage a history, also at a line's end: named with the fix, which makes the search end equal."""
    tables = lab.once(Table12)
    workdir = shutil.copytree(tables.finished, lab.here / "search")
    path = workdir / HISTORY
    lines = path.read_bytes().splitlines(keepends=True)
    at = rng.randrange(len(lines))
    theirs = (tables.other / HISTORY).read_bytes().splitlines(keepends=True)
    lost = {
        "cut at a line's end": lines[:at],
        "a line gone": lines[:at] + lines[at + 1 :],
        "a line twice": lines[: at + 1] + lines[at:],
        "another's line": lines[:at] + [theirs[at]] + lines[at + 1 :],
        "another's history": theirs,
    }
    if (kind := rng.choice([*lost, *DAMAGES])) in lost:
        path.write_bytes(b"".join(lost[kind]))
    else:
        kind(path, rng)
    told = refusal(lambda: tables.run(workdir))
    assert HISTORY in told and "the search then goes on" in told, f"{kind}: {told or 'believed'}"
    problems: list[str] = []
    sound = _prefix(path, lines)
    if sound:
        assert history.read(workdir, problems)[:sound] == tables.records[:sound] and problems
    path.write_bytes(b"".join(lines[:sound]))
    (workdir / MARK).unlink()
    assert tables.run(workdir) == tables.records


def _prefix(path: Path, whole: list[bytes]) -> int:
    """How many lines of a file are as they were, from the beginning."""
    found = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    pairs = [ours == theirs for ours, theirs in zip(found, whole)]
    return [*pairs, False].index(False)


def history_mark(lab: Lab, rng: random.Random) -> None:
    """Damage the count beside a history: named with the fix."""
    tables = lab.once(Table12)
    workdir = shutil.copytree(tables.finished, lab.here / "search")
    rng.choice(DAMAGES[:3])(workdir / MARK, rng)
    told = refusal(lambda: tables.run(workdir))
    assert MARK in told or HISTORY in told, f"believed: {(workdir / MARK).read_text()}"
    (workdir / MARK).unlink()
    assert tables.run(workdir) == tables.records


def candidate(lab: Lab, rng: random.Random) -> None:
    """Lose a history, with a candidate's row and the best network damaged: only that candidate is trained."""
    reference = lab.once(kills.whole_search)
    workdir = shutil.copytree(reference, lab.here / "search")
    for name in (HISTORY, MARK):
        (workdir / name).unlink()
    rows = sorted(workdir.glob(f"{RUNS}/*/{ROW}"))
    rng.choice(DAMAGES)(victim := rng.choice(rows), rng)
    rng.choice(DAMAGES)(workdir / BEST / GENOTYPE, rng)
    kept = {path: path.read_bytes() for path in rows if path != victim}
    finish(kills.search(lab, workdir, 1))
    assert kills.values(workdir) == kills.values(reference)
    assert all(path.read_bytes() == content for path, content in kept.items())
    genotypes = [json.loads((d / BEST / GENOTYPE).read_text())["point"] for d in (workdir, reference)]
    assert genotypes[0] == genotypes[1]


KINDS = (
    Kind("sweep's row damaged or foreign", "named; others reported; run again", sweep_row, 10, 1),
    Kind("sweep's other files damaged", "written again; a damaged lease given up", sweep_rest, 5, 1),
    Kind("search's history damaged", "named with the fix; then equal", history_lines, 16, 2),
    Kind("search's mark damaged", "named with the fix; then equal", history_mark, 4, 1),
    Kind("candidate's row damaged", "that candidate alone trained again; equal", candidate, 3),
)
