"""How good a trained network is, and where it fails: python -m experiments.evaluate --run=DIR [--data=DIR]

Scores the run's newest checkpoint on a split of its own data, or of data laid out alike (--data), and writes
into --out (default: evaluation/ in the run's directory) evaluation.md and, of a classifier, confusion.png and
worst.png, of another task pictures.png with its best, median and worst answer.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments import cli
from scaling.arch.custom import is_file
from scaling.border.files import write_atomically
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import CONFIG, recorded

BATCH = 64
WORST = 20  # images on the contact sheet


def main(argv: Sequence[str]) -> None:
    """Evaluate a run, write its report and print it."""
    arguments = _parser().parse_args(argv)
    spec = read_spec(arguments)
    out: Path = arguments.out or arguments.run / "evaluation"
    evaluate = classifier if spec.task == "classification" else any_task
    text, problems = evaluate(arguments, spec, out)
    write_atomically(out / "evaluation.md", text)
    for problem in problems:
        print(f"left out: {problem}")
    print(text, end="")
    print(f"\nreport and pictures: {out}")


def classifier(arguments: argparse.Namespace, spec: RunSpec, out: Path) -> tuple[str, Sequence[str]]:
    """Draw confusions and the worst images; return the report, and what could not be read."""
    from scaling.reports import evaluation
    from scaling.training.export import trained
    from scaling.training.start import start

    weights, step = trained(arguments.run, arguments.weights, arguments.trust_code)
    split, classes = open_split(spec, weights, arguments.split)
    start(devices=True)
    found = evaluation.Evaluation(probabilities(spec, weights, split), np.asarray(split.labels), classes)
    title = f"{weights.arch.name} on {_split_name(arguments, spec)}, step {step}"
    out.mkdir(parents=True, exist_ok=True)
    evaluation.confusion_figure(found).savefig(out / "confusion.png")
    worst_figure(found, split, title).savefig(out / "worst.png")
    return evaluation.to_markdown(found, title), split.problems


def any_task(arguments: argparse.Namespace, spec: RunSpec, out: Path) -> tuple[str, Sequence[str]]:
    """Draw the best, median and worst answer; return the report, and what could not be read."""
    from scaling.reports.evaluation import scores_to_markdown
    from scaling.training.scoring import score
    from scaling.training.start import start

    start(devices=True)
    out.mkdir(parents=True, exist_ok=True)
    scored = score(arguments.run, spec, arguments.split, out / "pictures.png")
    which = arguments.weights or list(scored.models)[-1]
    if which not in scored.models:
        raise ValueError(f"{arguments.run} has no {which!r} weights, only {', '.join(scored.models)}.")
    title = f"{spec.task} on {_split_name(arguments, spec)}, step {scored.step}, {which} weights"
    return scores_to_markdown(scored.models[which], scored.examples, title), scored.problems


def _split_name(arguments: argparse.Namespace, spec: RunSpec) -> str:
    return arguments.split or spec.data.test or spec.data.validation or "validation"


def read_spec(arguments: argparse.Namespace) -> RunSpec:
    """Return what the run was, on the data that the command line names.

    ValueError where the directory is no run's, or its network is a function of a .py file, which is code, and
    nobody trusts it.
    """
    spec = RunSpec.from_dict(recorded(arguments.run, CONFIG))
    if is_file(spec.model.name) and not getattr(arguments, "trust_code", False):
        raise ValueError(
            f"--run={arguments.run} has the network {spec.model.name}, a file of code: name a run of a network "
            "that is listed, or give --trust_code where the command takes it."
        )
    if arguments.data is None:
        return spec
    data = dataclasses.replace(spec.data, dir=str(arguments.data), fingerprint="")
    return dataclasses.replace(spec, data=data)


def open_split(spec: RunSpec, weights: Any, split: str | None) -> tuple[Any, tuple[str, ...]]:
    """Return a split whose labels index the network's classes, and their names.

    None is the run's test split, or where it has none its validation split. ValueError where the data has a
    class that the network was not trained on.
    """
    from scaling.data.dataset import hold, load, open_source

    data, side = spec.data, weights.arch.resolution
    name = split or data.test or data.validation
    if not name:
        whole = load(data, spec.augment, side)
        return whole.validation, whole.class_names
    source = open_source(data, spec.augment, side)
    source.check(name)
    known = weights.classes or source.class_names
    if unknown := [found for found in source.class_names if found not in known]:
        raise ValueError(
            f"the data has the class {unknown[0]!r}, which the network was not trained on; it knows "
            f"{', '.join(known[:5])}{' ...' if len(known) > 5 else ''}."
        )
    held = hold(source.read(name), data, name)
    places = np.array([known.index(found) for found in source.class_names], np.int32)
    return dataclasses.replace(held, labels=places[held.labels]), known


def probabilities(spec: RunSpec, weights: Any, split: Any) -> np.ndarray:
    """Return float32[n, classes] of a split, by the evaluation transform of the run's task."""
    import jax

    from scaling import tasks
    from scaling.data.loader import eval_batches
    from scaling.models.network import build
    from scaling.tasks.task import Inputs

    net, told = build(weights.arch), weights.preprocessing
    if told is None:
        raise ValueError(
            f"{weights.arch.name} takes no pictures: it has {weights.arch.in_channels} channels."
        )
    made = Inputs(spec.augment, weights.arch.resolution, weights.arch.num_classes, told.mean, told.std)
    inputs = tasks.named(spec.task).eval_inputs(made)

    @jax.jit
    def run(variables, batch):
        return jax.nn.softmax(net.apply(variables, inputs(batch)["image"], train=False))

    variables = jax.device_put(weights.variables)
    found = [np.asarray(run(variables, batch)) for batch in eval_batches(split, BATCH)]
    return np.concatenate(found)[: len(split)]


def worst_figure(found: Any, split: Any, title: str) -> Any:
    """The images whose true class was given least, with truth and prediction."""
    from scaling.reports.evaluation import contact_sheet

    rows = found.worst(WORST)
    names, first = found.class_names, found.order_nk[:, 0]
    captions = [
        f"{names[found.labels_n[i]]} {100 * found.own_n[i]:.0f} %\ntaken for {names[first[i]]} "
        f"{100 * found.shares_nk[i, first[i]]:.0f} %"
        for i in rows
    ]
    heading = (
        f"{title}: the {len(rows)} worst of {len(found)} images" if len(rows) else f"{title}: none is wrong"
    )
    return contact_sheet([split[int(i)] for i in rows], captions, heading)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.evaluate", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    made.add_argument("--run", required=True, type=Path, metavar="DIR", help="a run's directory")
    made.add_argument("--data", type=Path, metavar="DIR", help="other data, laid out as the run's own")
    made.add_argument(
        "--split", metavar="NAME", help="a split or a part of one (default: the run's test split)"
    )
    made.add_argument("--weights", choices=("raw", "ema"), help="default: averages where the run has them")
    made.add_argument(
        "--out", type=Path, metavar="DIR", help="where the report goes (default RUN/evaluation)"
    )
    made.add_argument(
        "--trust_code", action="store_true", help="run the .py file that a network of your own comes from"
    )
    return made


if __name__ == "__main__":
    cli.run_command(main)
