"""A stand-in for training, and drivers of it: what is tried of sweeps costs no JAX, so it is tried often.

A trial's process does as the `model.name` of its config says, copies a prepared row, and ends with who
started it, as a trainer does.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from scaling.runs import leases, store
from scaling.runs.rows import OK, Row, write_row
from scaling.runs.spec import RunSpec
from scaling.sweeps.executors import Executor, LocalExecutor
from scaling.sweeps.expand import Trial, trials
from scaling.sweeps.run import lost_row, pending, run

FAKE = """
import json, os, pathlib, shutil, signal, sys, threading, time
run = pathlib.Path(sys.argv[1])
deed = json.loads((run / "config.json").read_text())["model"]["name"]
parent = os.getppid()
(run / "parent").write_text(str(parent))
with open(run / "started", "a") as file:
    file.write("x")
if deed == "long" and not (run.parent / "go").exists():
    while os.getppid() == parent and not (run.parent / "go").exists():
        time.sleep(0.02)
    if os.getppid() != parent:
        os._exit(75)
if deed == "poison" or deed == "once" and (run / "started").read_text() == "x":
    os.kill(os.getpid(), signal.SIGKILL)
if deed == "stopped" and (run / "started").read_text() == "x":
    os.kill(os.getpid(), signal.SIGSTOP)
time.sleep(0.05)
shutil.copyfile(run.parent / (run.name + ".json"), run / "row.json")
"""
# The package without what `import scaling` loads beside: JAX takes seconds
DRIVER = """
import pathlib, sys, types
repository = pathlib.Path(sys.argv[2])
sys.modules["scaling"] = bare = types.ModuleType("scaling")
bare.__path__ = [str(repository / "scaling")]
sys.path.insert(0, str(repository))
from experiments.faults.stand_in import driven
driven(pathlib.Path(sys.argv[1]), sys.argv[3])
"""
REPOSITORY = Path(__file__).resolve().parents[2]
DEEDS = "deeds.json"
SILENCE = {"stopped": 8.0}  # seconds; one that stops itself is soon thought silent
LEASE = 5.0  # seconds without a beat after which a lease is another's


def command(directory: Path) -> list[str]:
    """The process of a trial."""
    return [sys.executable, "-I", "-S", "-c", FAKE, str(directory)]


def driver(workdir: Path, engine: str) -> list[str]:
    """The words, after Python's name, of a driver of a directory that `prepare` has made."""
    return ["-c", DRIVER, str(workdir), str(REPOSITORY), engine]


def trials_of(deeds: Sequence[str]) -> list[Trial]:
    """Trials that do as they are called."""
    changes = [
        {"model.name": deed, "seed": i, "train.silence": SILENCE.get(deed, 600.0)}
        for i, deed in enumerate(deeds)
    ]
    return trials(RunSpec(), changes)[0]


def prepare(workdir: Path, deeds: Sequence[str]) -> list[Trial]:
    """Write what drivers of a directory need, and each trial's row to copy; return the trials."""
    made = trials_of(deeds)
    workdir.mkdir(parents=True, exist_ok=True)
    (workdir / DEEDS).write_text(json.dumps(list(deeds)))
    for trial in made:
        write_row(workdir / f"{trial.spec.id}.json", lost_row(trial.spec, OK, "by itself", 0.0))
    return made


def executor_of(engine: str, say: Callable[[str], None] = print, workers: int = 2) -> Executor:
    """What starts trials: "local", or "ray:HOST:PORT"."""
    name, _, address = engine.partition(":")
    if name == "local":
        return LocalExecutor(workers, 0.5, say)
    from scaling.sweeps.on_ray import RayExecutor

    return RayExecutor(workers, address, 0.5, say)


def driven(workdir: Path, engine: str) -> None:
    """Run, as one of several drivers, what stands in the directory; print a line a row."""
    made = trials_of(json.loads((workdir / DEEDS).read_text()))
    todo = pending(made, store.scan(workdir))

    def told(trial: Trial, row: Row) -> None:
        print(trial.spec.model.name, row.status, flush=True)

    run(todo, workdir, executor_of(engine), command, told, leases=leases.Leases(LEASE, print))


def executed(
    made: Sequence[Trial], workdir: Path, engine: str = "local", say: Callable[[str], None] = print
) -> Counter:
    """Run trials, also failed ones, by a driver in this process; return how many rows of each status came."""
    heard: list[Row] = []
    executor, held = executor_of(engine, say), leases.Leases(LEASE, say)
    run(made, workdir, executor, command, lambda trial, row: heard.append(row), retry=True, leases=held)
    return Counter(row.status for row in heard)


def starts(workdir: Path, trial: Trial) -> int:
    """How often a trial's process was started."""
    return len((workdir / trial.spec.id / "started").read_text())


def check_whole(made: Sequence[Trial], workdir: Path, status: str = OK) -> None:
    """Check that each trial has its one row, of this status, and that nothing is held."""
    found = store.scan(workdir)
    assert set(found.rows) == {trial.spec.id for trial in made} and not found.bad and not found.unfinished
    assert {row.status for row in found.rows.values()} == {status}
    assert not list(workdir.glob("*/.lease-*"))
