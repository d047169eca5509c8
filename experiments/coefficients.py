"""Train the grid of compound coefficients at phi = 1 and rank them: which axis should grow how fast?

python -m experiments.coefficients --config=configs/coefficients_photos.py --workdir=runs/coefficients \
    [--step=0.1] [--tolerance=0.05] [--seeds=3] [--halving] [--workers=N] [--retry] [--report]

The points are all (alpha, beta, gamma) of a grid whose alpha * beta^2 * gamma^2 is 2 within a tolerance,
single axes among them, with the uniform split and the paper's (1.2, 1.1, 1.15); the base is trained too. The
config's `get_grid()` may set step, tolerance, seeds, eta and rungs; flags go before. `--halving` trains all
points briefly and one in eta of them longer, rung by rung. It is a sweep: run it again to go on after an
interruption. `--report` writes coefficients.md, coefficients.csv and heat_map.png from the rows alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments import cli, sweep
from scaling.border.files import write_atomically
from scaling.border.typed import nearest
from scaling.laws import halving
from scaling.reports import coefficients
from scaling.reports.build import Study, read_study
from scaling.reports.curve import validation
from scaling.reports.grid import grids_of
from scaling.reports.heat_map import save_heat_map
from scaling.rules.factors import COMPOUND, DEPTH, RESOLUTION, UNIFORM, WIDTH, Powers, compound_grid
from scaling.runs import store
from scaling.runs.duration import Duration
from scaling.runs.resolve import resolve
from scaling.runs.rows import OK, Row
from scaling.runs.spec import ModelSpec, RunSpec
from scaling.runs.workdir import row_of
from scaling.sweeps.expand import Overrides, Trial, trials

MARKDOWN, CSV, PICTURE = "coefficients.md", "coefficients.csv", "heat_map.png"
LENGTHS = ("train.duration", "schedule.warmup", "schedule.every", "schedule.boundaries")


@dataclass(frozen=True)
class GridPlan:
    """What a config's `get_grid()` may set.

    Successive halving trains at `rungs` lengths and keeps one point in `eta` from each length to the next.
    """

    step: float = 0.1
    tolerance: float = 0.05
    seeds: int = 3
    eta: float = 3.0
    rungs: int = 2

    @staticmethod
    def read(path: str, flags: Mapping[str, Any]) -> GridPlan:
        """The plan of a config file, with the flags that were given; ValueError for an unknown key."""
        get_grid = cli.read_function(path.partition(":")[0], "get_grid") or dict
        known = [field.name for field in dataclasses.fields(GridPlan)]
        made = dict(get_grid())
        for key in made:
            if key not in known:
                raise ValueError(
                    f"get_grid() gives the unknown key {key!r}{nearest(key, known)} Known: {', '.join(known)}."
                )
        plan = GridPlan(
            **made | {key: value for key, value in flags.items() if key in known and value is not None}
        )
        if plan.seeds < 1:
            raise ValueError(f"seeds={plan.seeds} must be at least 1; 3 or more give the ranking intervals.")
        halving.schedule(1, plan.eta, plan.rungs)  # refuses values that halve nothing
        return plan


def main(argv: Sequence[str]) -> int:
    """Train and rank as the command line says; 0 where every trial has a result."""
    arguments, overrides = cli.parse(_parser(), argv)
    plan = GridPlan.read(arguments.config, vars(arguments))
    if arguments.report:
        write(read_study([arguments.workdir]), arguments, plan)
        return 0
    base = cli.load_spec(arguments.config, overrides)
    _check_free(overrides)
    return train(base, plan, arguments, arguments.halving)


def train(base: RunSpec, plan: GridPlan, arguments: argparse.Namespace, halve: bool = False) -> int:
    """Train what has no row yet, and write the ranking; 0 where every trial has a result."""
    rules, notes = points(base.model, plan)
    for note in notes:
        print(f"note: {note}")
    print(f"{len(rules)} points of the grid and their base, {plan.seeds} seeds each")
    made = _halve(base, rules, plan, arguments) if halve else _full(base, rules, plan, arguments)
    if made is None:
        return sweep.INTERRUPTED
    code = sweep.conclude(made, arguments.workdir)
    write(read_study([arguments.workdir]), arguments, plan)
    return code


def points(model: ModelSpec, plan: GridPlan) -> tuple[list[Powers], list[str]]:
    """The rules to train, each network once, and a note for each that rounding makes equal to another.

    Single axes come from the grid where it holds them, else at twice the multiply-adds exactly.
    """
    grid = list(compound_grid(plan.step, plan.tolerance))
    single = [rule for rule in (DEPTH, WIDTH, RESOLUTION) if rule.axes not in {one.axes for one in grid}]
    known: dict[Any, Powers] = {}
    notes = []
    # the paper's own point keeps its place where rounding makes a grid point equal to it
    for rule in (COMPOUND, *single, UNIFORM, *grid):
        arch, _ = resolve(dataclasses.replace(model, **_model(rule)), num_classes=10, in_channels=3)
        if (first := known.setdefault(arch.replace(name=""), rule)) is not rule:
            notes.append(f"{_text(rule)} rounds to the same network as {_text(first)}: trained once.")
    return list(known.values()), notes


def at_length(base: RunSpec, rules: Sequence[Powers], seeds: int, fraction: float = 1.0) -> list[Trial]:
    """The trials of these points, all durations cut to `fraction`; at full length the base's trials too."""
    lengths = (
        {key: _cut(operator.attrgetter(key)(base), fraction) for key in LENGTHS} if fraction != 1 else {}
    )
    sizes = [{f"model.{key}": value for key, value in _model(rule).items()} for rule in rules]
    sizes += [{"model.rule": "compound", "model.phi": 0.0}] if fraction == 1 else []
    every: list[Overrides] = [size | lengths | {"seed": seed} for seed in range(seeds) for size in sizes]
    return trials(base, every)[0]


def write(study: Study, arguments: argparse.Namespace, plan: GridPlan) -> None:
    """Write the ranking of a study beside its rows, and print it."""
    grids = grids_of(study)
    out, title = arguments.workdir, arguments.workdir.resolve().name
    text = coefficients.to_markdown(grids, title, plan.eta)
    write_atomically(out / MARKDOWN, text)
    write_atomically(out / CSV, coefficients.to_csv(grids))
    save_heat_map(grids[-1], title, out / PICTURE)
    print(text)
    for what, name in (("ranking", MARKDOWN), ("figures", CSV), ("heat map", PICTURE)):
        print(f"{what}: {out / name}")


def _full(
    base: RunSpec, rules: Sequence[Powers], plan: GridPlan, arguments: argparse.Namespace
) -> list[Trial] | None:
    """Train the whole grid; None where that was interrupted."""
    made = at_length(base, rules, plan.seeds)
    return made if sweep.execute(made, arguments) else None


def _halve(
    base: RunSpec, rules: Sequence[Powers], plan: GridPlan, arguments: argparse.Namespace
) -> list[Trial] | None:
    """Train all points briefly, then the best of them longer, until the full length."""
    made: list[Trial] = []
    latest: list[Trial] = []
    for rung in halving.schedule(len(rules), plan.eta, plan.rungs):
        if latest:
            rows = store.scan(arguments.workdir).rows
            scores = [_scores(latest, rule, rows) for rule in rules]
            rules = [rules[i] for i in halving.survivors(scores, rung.settings)]
            print(f"best {len(rules)} go on: {', '.join(map(_text, rules))}")
        latest = at_length(base, rules, plan.seeds, rung.fraction)
        print(f"rung of {latest[0].spec.train.duration}: {len(rules)} points")
        made += latest
        if not sweep.execute(latest, arguments):
            return None
    return made


def _scores(rung: Sequence[Trial], rule: Powers, rows: Mapping[str, Row]) -> list[float]:
    """Validation accuracies of a point's finished runs."""
    own = [
        trial
        for trial in rung
        if trial.spec.model.phi and _model(rule).items() <= vars(trial.spec.model).items()
    ]
    found = (row for trial in own if (row := row_of(rows, trial.spec)))
    return [score for row in found if row.status == OK and (score := validation(row)) is not None]


def _model(rule: Powers) -> dict[str, Any]:
    """The fields of `ModelSpec` that scale by a rule at phi = 1."""
    bases = {"alpha": rule.depth, "beta": rule.width, "gamma": rule.resolution}
    return {"rule": "compound", "phi": 1.0, **bases}


def _text(rule: Powers) -> str:
    return f"({rule.depth:.4g}, {rule.width:.4g}, {rule.resolution:.4g})"


def _check_free(overrides: Mapping[str, str]) -> None:
    taken = {"seed", *(f"model.{key}" for key in _model(COMPOUND))}
    if fights := sorted(overrides.keys() & taken):
        raise ValueError(
            f"--config.{fights[0]}={overrides[fights[0]]} is what the grid sets for each point: leave it out, or train "
            "that one network with experiments.train."
        )


def _cut(length: str | Sequence[str], fraction: float) -> Any:
    """A part of a duration, or of each of several; steps stay whole, and one at least."""
    if not isinstance(length, str):
        return [_cut(one, fraction) for one in length]
    parsed = Duration.parse(length)
    value = parsed.value * fraction
    if parsed.unit == "step" and value:
        return f"{max(1, round(value))} steps"
    return f"{value:.6g} {parsed.unit}s"


def _parser() -> argparse.ArgumentParser:
    made = sweep.add_arguments(cli.parser((__doc__ or "").partition("\n")[0]))
    made.add_argument("--step", type=float, metavar="X", help="of the grid (default: 0.1)")
    made.add_argument("--tolerance", type=float, metavar="X", help="around 2 (default: 0.05)")
    made.add_argument("--seeds", type=int, metavar="N", help="runs of each point (default: 3)")
    made.add_argument("--halving", action="store_true", help="short runs of all, longer ones of the best")
    made.add_argument("--eta", type=float, metavar="X", help="halving keeps one in X (default: 3)")
    made.add_argument("--rungs", type=int, metavar="N", help="lengths of training of halving (default: 2)")
    made.add_argument("--report", action="store_true", help="train nothing, rank the rows that are there")
    return made


if __name__ == "__main__":
    cli.run_command(main)
