"""Lack of memory is told from every other failure, whoever says it."""

import jax
import pytest

from scaling.runs.failures import is_out_of_memory, tells_out_of_memory


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
