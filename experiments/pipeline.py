"""The whole method in one config: search a base, grid its coefficients, scale it, compare with a known base.

python -m experiments.pipeline --config=configs/pipeline.py --workdir=runs/pipeline [--workers=N] [--retry]

After EfficientNet (arXiv 1905.11946): a base from the macro space with MnasNet's reward (section 4), the
best alpha, beta and gamma at phi = 1 (step 1 there), the base scaled by them (step 2), beside a known
network that is made as small and scaled by the same coefficients. Each step has a directory of its own, with
its own report; run the command again to go on after an interruption.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments import cli, coefficients, sweep
from experiments import search as searching
from scaling.border.files import write_atomically
from scaling.border.typed import build, plain
from scaling.reports import law_tables
from scaling.reports.build import read_study
from scaling.reports.coefficients import ranking
from scaling.reports.curve import Group
from scaling.reports.grid import grids_of
from scaling.reports.labels import network
from scaling.reports.units import number, percent, si
from scaling.rules.factors import Powers
from scaling.runs import store
from scaling.runs.pinning import pin_model
from scaling.runs.spec import ModelSpec, RunSpec
from scaling.sweeps.expand import Trial
from scaling.training.start import start
from search.runs import outcome
from search.runs.spec import FREE, SearchSpec
from search.runs.workdir import BOARD

SEARCH, GRID, CURVE, SUMMARY, LAWS = "search", "grid", "curve", "pipeline.md", "laws.md"


@dataclass(frozen=True)
class PipelineSpec:
    """`search` finds the base, `grid` ranks coefficients, both bases are trained at `phis` by `seeds` seeds.

    Scaled networks are trained as `search.run` with `search.final.changes`. `rival` is the known base.
    """

    search: SearchSpec = field(default_factory=SearchSpec)
    grid: coefficients.GridPlan = field(default_factory=coefficients.GridPlan)
    phis: tuple[float, ...] = (-1.0, 0.0, 1.0, 2.0)
    seeds: int = 3
    rival: ModelSpec = field(default_factory=ModelSpec)

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> PipelineSpec:
        """Build from a ConfigDict or nested dict; ValueError on an unknown key or a wrong value."""
        to_dict = getattr(config, "to_dict", None)
        spec = PipelineSpec.from_dict(to_dict() if to_dict else config)
        if spec.seeds < 1 or len(set(spec.phis)) < 2:
            raise ValueError(
                f"config.seeds={spec.seeds} must be at least 1, and config.phis={spec.phis} two sizes or more: a curve "
                "needs them."
            )
        return dataclasses.replace(spec, search=spec.search.checked(), rival=pin_model(spec.rival))

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> PipelineSpec:
        """Build from what `to_dict` gave: no file is read, no value checked; ValueError on an unknown key."""
        return build(PipelineSpec, values, "config")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values."""
        return plain(self)


def main(argv: Sequence[str]) -> int:
    """Take the steps that are not done yet; return the exit code."""
    arguments, overrides = cli.parse(
        sweep.add_arguments(cli.parser((__doc__ or "").partition("\n")[0])), argv
    )
    spec = cli.load_spec(arguments.config, overrides, PipelineSpec, FREE)
    start()
    try:
        base = found_base(spec, _below(arguments, SEARCH))
    except KeyboardInterrupt as stopped:
        return searching.interrupted(stopped)
    if code := coefficients.train(base, spec.grid, _below(arguments, GRID)):
        return code
    made = curve_trials(spec, base, best_rule(arguments.workdir / GRID))
    told = _below(arguments, CURVE)
    if not sweep.execute(made, told):
        return sweep.INTERRUPTED
    code = sweep.conclude(made, told.workdir)
    found = law_tables.curves(read_study([told.workdir]), "macs")
    write_atomically(told.workdir / LAWS, law_tables.to_markdown(found, "macs", largest=1))
    write_atomically(arguments.workdir / SUMMARY, summary(spec, arguments.workdir))
    print(f"summary: {arguments.workdir / SUMMARY}")
    return code


def found_base(spec: PipelineSpec, arguments: argparse.Namespace) -> RunSpec:
    """Search the base, or take what was found; return the run that trains it."""
    workdir = arguments.workdir
    with store.lock(workdir):
        space, records = searching.search(spec.search, arguments)
    (best,) = outcome.best(records, 1)
    searching.build([workdir], workdir, "search of the base")
    return outcome.train_spec(spec.search, space, best)


def best_rule(grid: Path) -> Powers:
    """The coefficients of the best mean validation accuracy in a grid's directory."""
    (*_, points) = grids_of(read_study([grid]))
    return points.points[ranking(points).order[0]].rule


def curve_trials(spec: PipelineSpec, base: RunSpec, rule: Powers) -> list[Trial]:
    """The found base and its rival at every phi, scaled by the same coefficients, each with every seed."""
    scaled = {"rule": "compound", "alpha": rule.depth, "beta": rule.width, "gamma": rule.resolution}
    made = []
    for seed in range(spec.seeds):
        for name, model in (("found", base.model), (spec.rival.name, spec.rival)):
            for phi in spec.phis:
                run = dataclasses.replace(
                    base, seed=seed, model=dataclasses.replace(model, phi=phi, **scaled)
                )
                made.append(Trial({"base": name, "phi": phi, "seed": seed}, run))
    return made


def summary(spec: PipelineSpec, workdir: Path) -> str:
    """What the three steps gave, in Markdown, from what they left on disk."""
    grid = grids_of(read_study([workdir / GRID]))[-1]
    ranked = ranking(grid)
    first, second = ranked.order[:2]
    margin = ranked.margin(first, second)
    interval = "" if margin.low is None else f", {percent(margin.low)} to {percent(margin.high)} at 95 %"
    found = f"{grid.points[first].label} is best by validation accuracy"
    over = f"margin over the next {percent(margin.value)}{interval} points"
    by = f"{spec.search.evaluations} candidates by {spec.search.strategy.name}"
    lines = [
        f"# {workdir.resolve().name}",
        "",
        f"1. [Search]({SEARCH}/{BOARD}): {by}.",
        f"2. [Coefficients]({GRID}/{coefficients.MARKDOWN}): {found}; {over}.",
        f"3. [Curve]({CURVE}/table.md): the found base and {spec.rival.name}, made as small, scaled by these coefficients;",
        f"   [at equal multiply-adds]({CURVE}/{LAWS}).",
        "",
        "| base | phi | params | MACs | test top-1 (%) | runs |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    found = sorted(read_study([workdir / CURVE]).groups, key=_place)
    return "\n".join([*lines, *map(_line, found), ""])


def _place(found: Group) -> tuple[str, float]:
    return network(found.first), found.first.phi or 0.0


def _line(found: Group) -> str:
    one, scores = found.first, found.scores
    mean = statistics.fmean(scores) if scores else None
    deviation = statistics.stdev(scores) if len(scores) > 1 else None
    cells = [
        network(one),
        number(one.phi),
        si(one.params),
        si(one.macs),
        percent(mean, deviation),
        str(len(scores)),
    ]
    return f"| {' | '.join(cells)} |"


def _below(arguments: argparse.Namespace, name: str) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(arguments), "workdir": arguments.workdir / name})


if __name__ == "__main__":
    cli.run_command(main)
