"""Commands by name, and configs by name: what there is, what is found where, what a wrong name says."""

import errno
import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import cli, profile, search, sweep, train
from experiments.__main__ import COMMANDS, main

REPOSITORY = Path(__file__).resolve().parents[2]
GUARD = 'if __name__ == "__main__":'
SPELLINGS = ("quickstart", "quickstart.py", "configs/quickstart", "configs/quickstart.py")


@pytest.fixture
def command(monkeypatch):
    """Call `jax-compound` with some words; returns its exit code."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["jax-compound", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code

    return call


def test_every_module_that_is_a_command_has_a_name():
    modules = {
        path.stem for path in (REPOSITORY / "experiments").glob("[!_]*.py") if GUARD in path.read_text()
    }
    packages = {path.parent.name for path in (REPOSITORY / "experiments").glob("*/__main__.py")}
    assert set(COMMANDS) == modules | packages


def test_the_readme_names_commands_that_there_are():
    named = re.findall(r"(?:experiments\.|jax-compound )([a-z_]+)", (REPOSITORY / "README.md").read_text())
    assert len(named) > 5 and set(named) <= set(COMMANDS)


def test_a_command_by_name_prints_what_its_module_does(command, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "experiments.profile")  # as in a process of its own
    assert command("profile", "--model=lenet5") == 0
    by_name = capsys.readouterr().out
    profile.main(["--model=lenet5"])
    assert by_name == capsys.readouterr().out and "lenet5" in by_name


def test_a_command_s_error_is_its_own(command, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "experiments.report", raising=False)
    assert command("report", "--workdir=no/such") == 2
    assert "error: --workdir=no/such is not a directory" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_without_a_name_all_are_listed_and_nothing_heavy_is_loaded(words):
    program = (
        f"import sys; sys.argv[1:] = {words!r}; from experiments.__main__ import main; main(); "
        "assert not {'jax', 'experiments.sweep'} & set(sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=REPOSITORY
    )
    listed = [line.split()[0] for line in said.stdout.splitlines() if line.startswith("  ")]
    assert listed == list(COMMANDS)


def test_a_wrong_name_is_an_error_that_names_the_nearest(command, capsys):
    assert command("swep") == 2
    assert "'swep' is not a command; did you mean 'sweep'" in capsys.readouterr().err


@pytest.mark.parametrize("given", SPELLINGS)
def test_a_config_here_goes_before_the_installed_one(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    installed = REPOSITORY / "configs" / "quickstart.py"
    assert Path(cli.find_config(given)) == installed
    assert cli.find_config(f"{given}:5") == f"{installed}:5"
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "quickstart.py").touch()
    assert cli.find_config(given) == "configs/quickstart.py"


def test_a_path_is_itself_or_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.py").touch()
    for path in ("x.py", "./x.py", f"{tmp_path}/x.py:8", "runs/a/config.json"):
        assert cli.find_config(path) == path
    for path in ("elsewhere/quickstart.py", f"{tmp_path}/quickstart.py", "quickstart.txt", "", "."):
        with pytest.raises(ValueError, match="neither a Python file nor a config by name"):
            cli.find_config(path)


def test_a_wrong_config_names_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"did you mean 'quickstart'.* imagenet_resnet50,.* table7\."):
        cli.find_config("configs/quickstrat.py")


def test_a_command_says_which_file_it_found(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    argv = ["--config=quickstart", "--workdir=x", "--config.seed=1"]
    arguments, overrides = cli.parse(cli.parser(None), argv)
    assert cli.read_config(arguments.config)["data"] == {"source": "digits"} and overrides == {"seed": "1"}
    assert capsys.readouterr().out == f"note: --config=quickstart is {arguments.config}\n"
    cli.parse(cli.parser(None), [f"--config={arguments.config}", "--workdir=x"])
    assert capsys.readouterr().out == ""


MISTAKES = {
    "def get_config(:": "line 1, is no Python: invalid syntax",
    "import no_such_module": "line 1, imports what is not here: No module named 'no_such_module'",
    "def get_config():\n    pass": "returned None: let it return a ConfigDict or a dict",
    "def get_config():\n    return {'seed': 1 / 0}": "fails in line 2: ZeroDivisionError: division by zero",
    "def get_config():\n    return {}\ndef get_sweep():\n    pass": r"get_sweep\(\) gives None: let it return a list",
    "def get_config():\n    return {}\ndef get_sweep():\n    return [3]": r"get_sweep\(\) gives \[3\]: let it return",
    "def get_config():\n    return {'model': {'phi': -20.0}}\ndef get_sweep():\n    return [{}]": (
        "phi=-20 gives efficientnet_b0 a side of .* pixels"
    ),
}
GOOD = "def get_config():\n    return {'data': {'source': 'digits'}}\ndef get_sweep():\n    return [{}]"


@pytest.fixture
def refused(monkeypatch, capsys):
    """Run a command as a shell does; it must end with a paragraph and exit code 2; return the paragraph."""

    def told(module, *words):
        monkeypatch.setattr(sys, "argv", [module.__name__, *words])
        with pytest.raises(SystemExit) as ended:
            cli.run_command(module.main)
        said = capsys.readouterr().err
        assert ended.value.code == cli.USAGE_ERROR and said.startswith("error: ") and "Traceback" not in said
        assert "\n\n" not in said
        return " ".join(said.split())

    return told


@pytest.mark.parametrize("text", MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_in_a_config_is_a_paragraph_that_says_where(text, tmp_path, refused):
    (tmp_path / "x.py").write_text(text)
    said = refused(sweep, f"--config={tmp_path / 'x.py'}", f"--workdir={tmp_path / 'out'}")
    assert re.search(MISTAKES[text], said), said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("module", [sweep, train, search], ids=lambda module: module.__name__)
@pytest.mark.parametrize("place", ["file", "file/run"])
def test_a_directory_that_cannot_be_made_is_a_paragraph(tmp_path, refused, module, place):
    (tmp_path / "file").touch()
    (tmp_path / "x.py").write_text(GOOD if module is not search else "def get_config():\n    return {}")
    said = refused(module, f"--config={tmp_path / 'x.py'}", f"--workdir={tmp_path / place}")
    assert f"{tmp_path / place}" in said and "directory" in said


def test_a_disk_that_refuses_is_a_sentence(capsys):
    def command(argv):
        raise OSError(errno.EROFS, "Read-only file system", "runs/x/row.json")

    with pytest.raises(SystemExit) as ended:
        cli.run_command(command)
    told = capsys.readouterr().err
    assert ended.value.code == cli.USAGE_ERROR and told.startswith(
        "error: runs/x/row.json cannot be used: the file"
    )


def test_a_reader_that_has_seen_enough_gets_no_traceback():
    code = (
        "import sys, types; bare = types.ModuleType('scaling'); bare.__path__ = ['scaling']; "  # without JAX
        "sys.modules['scaling'] = bare; from experiments import cli; "
        "cli.run_command(lambda argv: print('line\\n' * 100_000))"
    )
    told = subprocess.run(
        f'"{sys.executable}" -c "{code}" | head -1', shell=True, capture_output=True, text=True, check=True
    )
    assert told.stdout == "line\n" and told.stderr == ""


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "--run={0}/typo"],
        ["layer_removal", "--run={0}/typo"],
        ["compress", "--run={0}/typo", "--out={0}/out"],
        ["samples", "--run={0}/typo"],
        ["predict", "--run={0}/typo", "{0}"],
        ["export", "--run={0}/typo", "--to={0}/net.onnx"],
        ["export", "--run={0}/typo", "--card={0}/card.md"],
    ],
)
def test_a_mistyped_run_is_told_by_every_command_that_reads_one(
    command, capsys, tmp_path, words, monkeypatch
):
    monkeypatch.delitem(sys.modules, f"experiments.{words[0]}", raising=False)
    (tmp_path / "cat.png").touch()
    assert command(*(word.format(tmp_path) for word in words)) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(r"typo has no \w+\.json, so it is not the directory of a run", said), said
    assert [path.name for path in tmp_path.iterdir()] == ["cat.png"]


def test_a_run_that_is_damaged_or_has_not_ended_is_told(command, capsys, tmp_path, monkeypatch):
    for name in ("export", "evaluate"):
        monkeypatch.delitem(sys.modules, f"experiments.{name}", raising=False)
    (tmp_path / "config.json").write_text("{}")
    assert command("export", f"--run={tmp_path}", f"--card={tmp_path / 'card.md'}") == 2
    assert "has no row.json, so its run has not ended" in " ".join(capsys.readouterr().err.split())
    (tmp_path / "config.json").write_text("{")
    assert command("evaluate", f"--run={tmp_path}") == 2
    assert "config.json cannot be read" in " ".join(capsys.readouterr().err.split())
