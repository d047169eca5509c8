"""One holder at a time: whoever is gone or silent loses a run, whoever has lost one writes nothing more."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from scaling.runs import leases, store
from scaling.runs.leases import LOST_LEASE, VARIABLE, Holder, Leases

# The package without what `import scaling` loads beside: JAX takes seconds
BARE = (
    "import sys, types; bare = types.ModuleType('scaling'); bare.__path__ = ['scaling']; "
    "sys.modules['scaling'] = bare; "
)
# Claims the run that it is given, says so, and stays
HOLDER = (
    "import pathlib, sys, time; from scaling.runs.leases import Leases; held = Leases(float(sys.argv[2])); "
    "print(held.claim(pathlib.Path(sys.argv[1])) is not None, flush=True); time.sleep(120)"
)
WATCHER = (
    "import time; from scaling.runs import leases; leases.watch(); print('on', flush=True); time.sleep(120)"
)
SILENT = 1.5


@pytest.fixture
def started():
    """Start a Python process, wait for its first line; all are killed at the end."""
    made = []

    def start(code, *words, **environment):
        process = subprocess.Popen(
    [sys.executable, "-c", BARE + code, *map(str, words)],
            env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        made.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in made:
        process.kill()
        process.communicate()


def claimed(driver, run, seconds=30.0):
    """Claim until it is granted."""
    until = time.monotonic() + seconds
    while (lease := driver.claim(run)) is None and time.monotonic() < until:
        time.sleep(0.05)
    return lease


def test_of_many_that_claim_at_once_one_gets_it(tmp_path):
    drivers, granted, gate = [Leases(say=print) for _ in range(8)], [], threading.Barrier(8)

    def claim(driver):
        gate.wait()
        granted.append(driver.claim(tmp_path / "run") is not None)

    threads = [threading.Thread(target=claim, args=(driver,)) for driver in drivers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 1 and len(granted) == 8
    for driver in drivers:
        driver.close()
    assert drivers[0].claim(tmp_path / "run").is_held and not list((tmp_path / "run").glob("*.tmp"))
    drivers[0].close()
    assert not list((tmp_path / "run").iterdir())


def test_a_killed_holder_of_this_machine_is_replaced_at_once(tmp_path, started):
    process, got = started(HOLDER, tmp_path / "run", 600)
    told = []
    driver = Leases(600, told.append)
    assert got == "True" and driver.claim(tmp_path / "run") is None
    process.kill()
    process.wait()
    assert driver.claim(tmp_path / "run").is_held
    assert len(told) == 1 and f"process {process.pid}" in told[0] and "taken over" in told[0]
    driver.close()


def test_a_stopped_holder_is_reported_and_replaced_and_knows_it_when_it_wakes(tmp_path, started):
    process, _ = started(HOLDER, tmp_path / "run", SILENT)
    told = []
    driver = Leases(SILENT, told.append)
    until = time.monotonic() + 2 * SILENT
    while time.monotonic() < until:  # it beats, so it keeps the run
        assert driver.claim(tmp_path / "run") is None
        time.sleep(0.1)
    (path,) = (tmp_path / "run").glob(".lease-*")
    token = json.loads(path.read_text())["token"]
    process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    assert claimed(driver, tmp_path / "run").is_held
    assert time.monotonic() - began > SILENT * 0.9
    assert ["silent" in line for line in told] == [True, False] and "taken over" in told[1]
    process.send_signal(signal.SIGCONT)
    assert not leases._is_own(path, token)
    driver.close()
    assert not list((tmp_path / "run").glob(".lease-*")), "what was taken over goes with what took it"


def test_wall_clocks_and_times_of_files_say_nothing(tmp_path, monkeypatch):
    holder, other = Leases(600, print), Leases(600, print)
    lease = holder.claim(tmp_path / "run")
    for path in (tmp_path / "run").iterdir():
        os.utime(path, (0, 0))
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert other.claim(tmp_path / "run") is None and lease.is_held
    holder.close()


def test_a_lease_of_another_machine_is_judged_by_its_silence_alone(tmp_path):
    holder = Holder("x", host="far", pid=1, born="0", machine="another")
    assert not holder.is_gone and not holder.is_here
    assert Holder("x", born="0").is_gone and not Holder("x").is_gone


def test_a_lease_that_was_cut_off_falls_silent_like_any_other(tmp_path):
    (tmp_path / ".lease-000001").write_bytes(b"{")
    driver = Leases(0.3, print)
    assert driver.claim(tmp_path) is None
    assert claimed(driver, tmp_path).is_held
    driver.close()


def test_a_run_that_somebody_trains_without_a_lease_is_not_given(tmp_path):
    driver = Leases(say=print)
    with store.lock(tmp_path / "run"):
        assert driver.claim(tmp_path / "run") is None
    assert driver.claim(tmp_path / "run") is not None
    driver.close()


def told_of(lease):
    return {VARIABLE: lease.environment[VARIABLE]}


def test_a_process_ends_where_its_run_is_anothers(tmp_path, started):
    driver = Leases(600, print)
    lease = driver.claim(tmp_path / "run")
    process, _ = started(WATCHER, **told_of(lease))
    assert process.poll() is None
    driver.close()
    assert process.wait(30) == LOST_LEASE


def test_a_process_is_asked_to_save_before_its_silent_driver_loses_the_run(tmp_path, started):
    silent = 3.0
    lease = leases._create(tmp_path, 1, silent)  # nobody beats for it
    process, _ = started(WATCHER, **told_of(lease))
    began = time.monotonic()
    assert process.wait(30) == -signal.SIGTERM
    assert time.monotonic() - began < silent
    deaf = WATCHER.replace("print", "import signal; signal.signal(15, signal.SIG_IGN); print")
    process, _ = started(deaf, **told_of(lease))
    began = time.monotonic()
    assert process.wait(30) == LOST_LEASE
    assert time.monotonic() - began < silent
    lease.release()
