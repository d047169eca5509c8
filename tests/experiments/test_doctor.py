"""`doctor` says what is here, and names what stays unused with its remedy."""

import pytest

from experiments import doctor
from scaling.models import native


@pytest.fixture
def wanted(tmp_path, monkeypatch):
    """Kernels are wanted, and none are built."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(native.SWITCH, "1")
    native.available.cache_clear()
    yield
    native.available.cache_clear()


def test_it_names_versions_devices_and_kernels(capsys):
    doctor.main([])
    told = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert told["CPU programs"] == "plain JAX" and "jaxlib" in told["versions"] and "cpu" in told["devices"]


def test_a_missing_compiler_is_a_problem_with_its_remedy(wanted, monkeypatch, capsys):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert doctor.main([]) == 1
    assert "install g++" in capsys.readouterr().out.split("problem: ")[1]


def test_a_device_that_jax_does_not_use_is_a_problem(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "DRIVERS", {str(tmp_path): "install it"})
    assert doctor.main([]) == 1
    assert f"{tmp_path} is there, but JAX computes on the CPU: install it" in capsys.readouterr().out
