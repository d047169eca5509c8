"""Damage of each class of file that a run's directory holds: found, named, not believed, survived."""

from __future__ import annotations

import json
import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

from experiments.faults import tiny
from experiments.faults.kind import Kind
from experiments.faults.lab import Lab, is_sentence, refusal
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import CHECKPOINTS, CONFIG, ENVIRONMENT, EVENTS, METRICS, NETWORK, ROW
from scaling.training import checkpoints, run
from scaling.training.progress import Silent

NEWEST, BEFORE = "00000010", "00000008"
Damage = Callable[[Path, random.Random], None]


def flip(path: Path, rng: random.Random) -> None:
    """Turn one bit over."""
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(data))


def cut(path: Path, rng: random.Random) -> None:
    """Lose the end, and more of it than a line's."""
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size - 1)])


def blank(path: Path, rng: random.Random) -> None:
    """Lose a part to zeros, as a file system does after a power cut."""
    data = path.read_bytes()
    start = rng.randrange(len(data) - 1)
    path.write_bytes(data[:start] + bytes(len(data) - start))


def remove(path: Path, rng: random.Random) -> None:
    path.unlink()


DAMAGES: tuple[Damage, ...] = (flip, cut, blank, remove)


def warned(here: tiny.Here, workdir: Path) -> list[str]:
    """Go on with a run; return what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        here.train(workdir)
    return [str(one.message) for one in caught if "checkpoint of step" in str(one.message)]


def checkpoint(lab: Lab, rng: random.Random) -> None:
    """Damage a file of the newest checkpoint, or of all; the one before is used, or the run begins anew."""
    here = lab.once(tiny.Here)
    workdir = here.unfinished(lab.here / "run")
    steps = sorted(path for path in (workdir / CHECKPOINTS).iterdir())
    every = rng.random() < 0.2
    for path in steps if every else steps[-1:]:
        files = sorted(p for p in path.rglob("*") if p.is_file() and p.stat().st_size)
        rng.choice(DAMAGES)(rng.choice(files), rng)
    told = warned(here, workdir)
    assert len(told) == (len(steps) if every else 1) and f"step {int(NEWEST)} " in told[0], told
    is_sentence(told[0])
    assert (workdir / CHECKPOINTS / f"{NEWEST}.damaged").is_dir()
    tiny.check_equal(workdir, here.finished)


def _other(lab: Lab, directory: Path) -> Path:
    """A finished run of another seed."""
    run(RunSpec.from_config(tiny.config({**tiny.SHORT, "seed": 1})), directory / "run", Silent())
    return directory / "run"


def _of_another_run(path: Path, lab: Lab) -> None:
    shutil.rmtree(path / NEWEST)
    shutil.copytree(lab.once(_other) / CHECKPOINTS / NEWEST, path / NEWEST)


def _under_a_later_name(path: Path, lab: Lab) -> None:
    shutil.copytree(path / BEFORE, path / "00000099")


def _a_file(path: Path, lab: Lab) -> None:
    (path / "00000011").write_text("x")


def _an_empty_directory(path: Path, lab: Lab) -> None:
    (path / "00000011").mkdir()


def _a_link(path: Path, lab: Lab) -> None:
    (path / "00000011").symlink_to(path / NEWEST)


def _one_file_more(path: Path, lab: Lab) -> None:
    (path / NEWEST / "state" / "more").write_text("x")


def _lists_nothing(path: Path, lab: Lab) -> None:
    (path / NEWEST / checkpoints.CHECKSUMS).write_text("{}")


def _leftovers(path: Path, lab: Lab) -> None:
    shutil.copytree(path / NEWEST, path / "00000011.damaged")
    (path / ".00000011.4711" / "state").mkdir(parents=True)
    (path / "notes").mkdir()


ODD = {
    _of_another_run: "of run",
    _under_a_later_name: "of step",
    _a_file: "step 11 ",
    _an_empty_directory: "step 11 ",
    _a_link: "of step",
    _one_file_more: "not listed",
    _lists_nothing: "lists no file",
    _leftovers: "",
}


def odd_checkpoint(lab: Lab, rng: random.Random) -> None:
    """Put a checkpoint there that is another run's, misnamed, or none; it is named and not used."""
    here = lab.once(tiny.Here)
    workdir = here.unfinished(lab.here / "run")
    arrange = rng.choice(list(ODD))
    arrange(workdir / CHECKPOINTS, lab)
    told = warned(here, workdir)
    assert ODD[arrange] in " ".join(told) and len(told) == bool(ODD[arrange]), told
    tiny.check_equal(workdir, here.finished)


def journal(lab: Lab, rng: random.Random) -> None:
    """Damage what a checkpoint has seen of the journal: told, its sound lines stay, the run ends equal."""
    here, told = lab.once(tiny.Here), tiny.Told()
    workdir = here.unfinished(lab.here / "run")
    seen = json.loads((workdir / CHECKPOINTS / NEWEST / "meta.json").read_text())["journal_size"]
    path = workdir / METRICS
    path.write_bytes(path.read_bytes()[:seen])
    rng.choice(DAMAGES)(path, rng)
    here.train(workdir, told)
    assert any(METRICS in line and "has changed since its checkpoint" in line for line in told.lines)
    kept, written = tiny.journal(workdir), tiny.journal(here.finished)
    assert all(kept.count(line) == 1 and line in written for line in kept), "a damaged line was believed"
    tiny.check_equal(workdir, here.finished, lines=False)


def config(lab: Lab, rng: random.Random) -> None:
    """Damage `config.json`: refused in a sentence, with nothing changed, or still this very run."""
    here = lab.once(tiny.Here)
    workdir = here.unfinished(lab.here / "run")
    rng.choice(DAMAGES)(workdir / CONFIG, rng)
    before = _content(workdir)
    if told := refusal(lambda: here.train(workdir)):
        assert str(workdir) in told, told
        assert _content(workdir) == before, "a directory that was refused was changed"
        (workdir / CONFIG).unlink()
        here.train(workdir)
    tiny.check_equal(workdir, here.finished)


def _content(workdir: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(workdir.rglob("*")) if p.is_file() and p.name != ".lock"}


def row(lab: Lab, rng: random.Random) -> None:
    """Damage the row of a finished run: refused by name; once it is gone, the run makes the same again."""
    here = lab.once(tiny.Here)
    workdir = lab.here / "run"
    shutil.copytree(here.finished, workdir, symlinks=True)
    rng.choice(DAMAGES)(workdir / ROW, rng)
    if (workdir / ROW).exists():
        assert ROW in refusal(lambda: here.train(workdir)), "a damaged row was believed"
        (workdir / ROW).unlink()
    here.train(workdir)
    tiny.check_equal(workdir, here.finished)


def made_again(lab: Lab, rng: random.Random) -> None:
    """Damage what a run writes anew when it goes on: environment, network, events, the lock's text."""
    here = lab.once(tiny.Here)
    workdir = here.unfinished(lab.here / "run")
    victim = rng.choice([workdir / ENVIRONMENT, workdir / NETWORK, *(workdir / EVENTS).iterdir()])
    rng.choice(DAMAGES)(victim, rng)
    (workdir / ".lock").write_text("\0" * 40)
    here.train(workdir)
    tiny.check_equal(workdir, here.finished)
    assert (workdir / NETWORK).read_bytes() == (here.finished / NETWORK).read_bytes()
    assert json.loads((workdir / ENVIRONMENT).read_text())


KINDS = (
    Kind("checkpoint damaged", "named and set aside; the one before is used; bit-equal", checkpoint, 20, 2),
    Kind("checkpoint foreign or odd", "named and not used; bit-equal", odd_checkpoint, 12, 2),
    Kind("journal damaged", "told; no line invented; bit-equal", journal, 8, 1),
    Kind("config damaged", "refused in a sentence, nothing changed, or the same run", config, 8, 1),
    Kind("row damaged", "refused by name; made again equal", row, 8, 1),
    Kind("environment or events damaged", "made again; bit-equal", made_again, 6, 1),
)
