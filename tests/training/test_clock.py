"""The clock tells step times and waiting apart, however far the host runs ahead."""

import pytest

from scaling.training import clock as module
from scaling.training.clock import Clock
from scaling.training.plan import Call


class Simulation:
    """A host that takes data for `data` seconds a call and dispatches, and devices that step for `step`."""

    def __init__(self, monkeypatch, ahead: int):
        self.now, self.ahead, self.ready, self.queue, self.calls = 0.0, ahead, 0.0, [], 0
        monkeypatch.setattr(module.time, "perf_counter", lambda: self.now)
        self.clock = Clock()

    def call(self, data: float, step: float, steps: int = 1, side: int = 8):
        with self.clock.taking():
            self.now += data
        self.ready = max(self.ready, self.now) + step
        self.queue.append((Call(self.calls, steps, side), self.ready))
        self.calls += steps
        self.collect(self.ahead)

    def collect(self, allowed: int):
        while len(self.queue) > allowed:
            call, ready = self.queue.pop(0)
            self.now = max(self.now, ready)
            self.clock.tick(call, ready)


@pytest.mark.parametrize("ahead", [0, 1, 4])
@pytest.mark.parametrize(("data", "step"), [(1.0, 4.0), (4.0, 4.0), (5.0, 4.0), (40.0, 4.0), (0.0, 4.0)])
def test_only_time_in_which_devices_have_nothing_to_do_is_waiting(monkeypatch, data, step, ahead):
    run = Simulation(monkeypatch, ahead)
    for _ in range(400):
        run.call(data, step)
    run.collect(0)
    hidden = 0.0 if ahead == 0 else min(data, step)
    found = run.clock.measures(batch=8)
    assert found["data_wait"] == pytest.approx((data - hidden) / (data - hidden + step), abs=0.01)
    assert found["step_ms"] == pytest.approx(1e3 * (data - hidden + step))
    assert found["images_per_second"] == pytest.approx(8 / (data - hidden + step))


def test_a_pause_counts_as_neither(monkeypatch):
    run = Simulation(monkeypatch, ahead=4)
    for _ in range(10):
        for _ in range(5):
            run.call(1.0, 4.0)
        run.collect(0)
        run.now += 1000.0
        run.clock.restart()
    assert run.clock.data_wait == pytest.approx(1 / 21)  # the first batch after a pause is waited for
    assert run.clock.measures(1)["step_ms"] == pytest.approx(4e3)


def test_several_steps_a_call_share_its_time_and_the_last_resolution_tells(monkeypatch):
    run = Simulation(monkeypatch, ahead=1)
    for side, step in ((8, 10.0), (16, 40.0)):
        for _ in range(8):
            run.call(0.0, step, steps=10, side=side)
    run.collect(0)
    assert run.clock.measures(32)["step_ms"] == pytest.approx(4e3)


def test_nothing_was_measured_before_the_first_step():
    assert Clock().measures(8) == {} and Clock().data_wait == 0.0 and not Clock().is_steady
