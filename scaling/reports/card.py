"""A model card from a run's row: Markdown with a head of YAML, as the Hugging Face hub reads it."""

from __future__ import annotations

import json

from scaling.laws.power import LEVEL
from scaling.reports.curve import interval_of, measure_of, metric_of, score_of, scored
from scaling.reports.labels import network, size_label
from scaling.reports.units import MISSING, duration, si
from scaling.runs.rows import OK, Row

KINDS = {
    "classification": "image-classification",
    "segmentation": "image-segmentation",
    "detection": "object-detection",
    "instance_segmentation": "image-segmentation",
}


def to_card(row: Row) -> str:
    """Return the card; ValueError for a run without a result."""
    score = score_of(row)
    if row.status != OK or score is None:
        raise ValueError(
            f"run {row.id} has status {row.status} and no test score: a card needs a finished run."
        )
    return "\n".join([*_head(row, score), "", *_body(row)]) + "\n"


def _head(row: Row, score: float) -> list[str]:
    """The YAML that the hub indexes; every text is quoted as JSON, which YAML reads."""
    kind, metric, measured = KINDS.get(row.spec.task, row.spec.task), metric_of([row]), measure_of(row)
    in_unit = bool(metric.unit) and measured is not None
    name, value = (metric.unit, measured) if in_unit else (metric.word, 100 * score)
    return [
        "---",
        "library_name: jax-compound",
        f"pipeline_tag: {kind}",
        "tags: [jax, flax, compound-scaling]",
        f"datasets: [{json.dumps(row.dataset)}]",
        f"metrics: [{json.dumps(name)}]",
        "model-index:",
        f"- name: {json.dumps(f'{network(row)} {size_label(row)}')}",
        "  results:",
        f"  - task: {{type: {kind}}}",
        f"    dataset: {{name: {json.dumps(row.dataset)}, type: {json.dumps(row.dataset)}, split: test}}",
        f"    metrics: [{{type: {json.dumps(name)}, value: {value:.2f}}}]",
        "---",
    ]


def _body(row: Row) -> list[str]:
    interval, told = interval_of(row), scored(row)
    level = f"; the interval is of {LEVEL:.0%}" if interval else ""
    splits = ", ".join(f"{count:,} {name}" for name, count in row.examples.items())
    train, optimizer = row.spec.train, row.spec.optimizer
    machine = f"{row.device_count} x {row.device_kind}" if row.device_kind else MISSING
    return [
        f"# {network(row)} {size_label(row)} on {row.dataset}",
        "",
        f"{told[:1].upper()}{told[1:]}, seed {row.seed}, one run{level}.",
        "",
        "| | |",
        "| --- | --- |",
        f"| input | {row.resolution} x {row.resolution} px |",
        f"| parameters | {si(row.params)} |",
        f"| multiply-adds an image | {si(row.macs)} |",
        f"| data | {row.dataset}: {splits or MISSING} examples |",
        f"| training | {train.duration} of {train.batch}, {optimizer.name}, {si(row.train_flops)} FLOPs |",
        f"| time, machine | {duration(row.seconds)}, {machine} |",
        f"| run, revision | `{row.id}`, `{row.git_revision or MISSING}` |",
        "",
        "```python",
        "import scaling",
        "",
        'arch, variables, preprocessing, classes = scaling.load("model.safetensors")',
        "net = scaling.build(arch)  # net.apply(variables, preprocessing.apply(image)[None], train=False)",
        "```",
    ]
