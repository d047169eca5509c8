"""Lack of memory is told from every other failure, whoever says it."""

import resource

import jax
import pytest

from scaling.runs.failures import is_out_of_memory, kills_for_memory, tells_out_of_memory


@pytest.mark.parametrize(
    ("error", "lacks"),
    [
        (MemoryError(), True),
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes."), True),
        (RuntimeError("CUDA_ERROR: out of memory"), True),
        (jax.errors.JaxRuntimeError("INTERNAL: the compiler gave up"), False),
        (ValueError("config.train.batch=0"), False),
    ],
)
def test_an_error_says_whether_memory_ran_out(error, lacks):
    assert is_out_of_memory(error) is lacks


def test_a_log_says_it_on_any_of_its_lines():
    assert tells_out_of_memory("step 3\nterminate called after throwing 'std::bad_alloc'\n")
    assert not tells_out_of_memory("step 3\nall is well\n")


@pytest.mark.parametrize(
    ("group", "file"),
    [
        ("0::/user/job", "sys/fs/cgroup/user/job/memory.events"),
        ("7:cpu,memory:/job", "sys/fs/cgroup/memory/job/memory.oom_control"),
        ("0::/", "proc/vmstat"),
    ],
)
def test_what_the_kernel_killed_for_memory_is_counted_of_the_machine_and_of_the_group(tmp_path, group, file):
    assert kills_for_memory(tmp_path) == 0
    for name, text in (("proc/self/cgroup", f"1:name=systemd:/\n{group}\n"), (file, "oom 5\noom_kill 3\n")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert kills_for_memory(tmp_path) == 3


def test_a_thread_that_cannot_start_lacks_memory_where_addresses_are_limited(monkeypatch):
    """As `ulimit -v` gave it: the stack of a thread found no room."""
    said = "LLVM ERROR: pthread_create failed: Resource temporarily unavailable"
    for limit, lacks in ((10**9, True), (resource.RLIM_INFINITY, False)):
        monkeypatch.setattr(resource, "getrlimit", lambda kind, limit=limit: (limit, limit))
        assert tells_out_of_memory(said) is lacks
