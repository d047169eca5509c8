"""A sheet of what a trained network answers: the best, the median and the worst example of a split."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from scaling.border.files import write_atomically
from scaling.data.loader import eval_batches
from scaling.data.splits import Split
from scaling.tasks.pictures import Fields
from scaling.training.packing import whole
from scaling.training.runtime import Runtime
from scaling.training.state import TrainState, models

PANEL = 200  # pixels of a panel's longer side
LINE = 18  # pixels of a line of text
GAP = 6
SMALL = 56  # pixels of a panel of many


def save(path: Path, runtime: Runtime, state: TrainState, split: Split) -> None:
    """Write the sheet of a split as a PNG, by the averaged model where there is one; `state` is the host's.

    Nothing where the task has no pictures. One process sees all examples, on its first device."""
    plan = runtime.plan
    pictures, spec = plan.task.pictures, plan.spec.train
    if pictures is None:
        return
    inputs, network = runtime.evaluated(plan.arch)
    variables = whole(list(models(state).values())[-1])
    batch = max(1, spec.eval_batch // len(plan.devices))  # as much as a device has had in evaluation

    @jax.jit
    def see(variables, fields):
        made = inputs(fields)
        outputs = network.apply(
            variables, made["image"], train=False, **plan.task.told(made, spec, plan.arch)
        )
        return pictures.see(outputs, made, spec, plan.arch)

    def seen(part: Split) -> Iterator[Fields]:
        for fields in eval_batches(part, batch):
            arrays = jax.device_get(see(variables, fields))
            for i in range(int(fields["real"].sum())):
                yield {name: array[i] for name, array in arrays.items()}

    if pictures.sheet:
        shown = zip(range(min(pictures.sheet, len(split))), seen(split))
        panels = (pictures.panels(split[i], one, plan.dataset.class_names) for i, one in shown)
        write_atomically(path, contact_sheet([panel for line in panels for panel in line.values()]))
        return
    chosen = choose(np.array([pictures.score(one) for one in seen(split)]))
    few = split.take(np.array([row for row, _ in chosen.values()]))
    lines = {
        f"{which} {score:.3f}": pictures.panels(few[i], one, plan.dataset.class_names)
        for i, ((which, (_, score)), one) in enumerate(zip(chosen.items(), seen(few)))
    }
    write_atomically(path, sheet(lines))


def choose(scores: np.ndarray) -> dict[str, tuple[int, float]]:
    """Return the rows and scores of the best, the median and the worst; of equal ones the first is better."""
    order = np.argsort(-scores, kind="stable")
    rows = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    return {which: (int(row), float(scores[row])) for which, row in rows.items()}


def sheet(lines: Mapping[str, Mapping[str, np.ndarray]]) -> bytes:
    """Return a PNG of lines of panels, each line and panel under its name."""
    from PIL import Image, ImageDraw

    drawn = {head: {name: _fitted(panel) for name, panel in line.items()} for head, line in lines.items()}
    heights = [LINE + max(panel.height for panel in line.values()) + GAP for line in drawn.values()]
    width = max(sum(panel.width + GAP for panel in line.values()) for line in drawn.values())
    whole = Image.new("RGB", (width, sum(heights)), "white")
    pen, y = ImageDraw.Draw(whole), 0
    for (head, line), height in zip(drawn.items(), heights):
        x = 0
        for name, panel in line.items():
            pen.text((x, y + 3), f"{head}, {name}" if not x else name, fill="black")
            whole.paste(panel, (x, y + LINE))
            x += panel.width + GAP
        y += height
    return _png(whole)


def contact_sheet(panels: Sequence[np.ndarray]) -> bytes:
    """Return a PNG of panels side by side, as many lines as columns."""
    from PIL import Image

    columns = math.ceil(math.sqrt(len(panels)))
    step = SMALL + GAP
    whole = Image.new("RGB", (columns * step, -(-len(panels) // columns) * step), "white")
    for i, panel in enumerate(panels):
        whole.paste(_fitted(panel, SMALL), (i % columns * step, i // columns * step))
    return _png(whole)


def _fitted(panel: np.ndarray, side: int = PANEL) -> Any:
    """A panel as a picture whose longer side is `side`."""
    from PIL import Image

    factor = side / max(panel.shape[:2])
    sides = [max(1, round(side * factor)) for side in panel.shape[1::-1]]
    return Image.fromarray(panel).resize((sides[0], sides[1]))


def _png(image: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()
