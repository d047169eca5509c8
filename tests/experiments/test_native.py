"""The command that builds the C++ kernels says what stands in its way; nothing else is lost."""

from experiments import native


def test_without_a_compiler_it_says_so_and_fails(monkeypatch, capsys):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert native.main([]) == 1
    said = capsys.readouterr().out
    assert "were not built" in said and "no-such-compiler" in said and "plain JAX" in said
