"""What a trained network looks at: python -m experiments.views --run=DIR IMAGE... --kind=maps --out=FILE.png

Kinds: maps (the channels that answer most, after each stage), occlusion (the probability with a square
hidden there), saliency, guided and deconvolution (gradients by the pixels), gradcam. One row an image.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments import cli
from experiments.predict import load_weights, name_weights, open_picture, pictures
from scaling.border.files import write_atomically
from scaling.reports.markdown import verbatim

GRADIENTS = {"saliency": "", "guided": "guided", "deconvolution": "deconvolution"}
KINDS = ("maps", "occlusion", *GRADIENTS, "gradcam")
SPREAD = 3.0  # deviations of a gradient that the picture shows
Panels = list[tuple[str, np.ndarray]]  # a caption and what is shown: [h, w, 3] in [0, 1], or [h, w]


def main(argv: Sequence[str]) -> None:
    """Draw the views of every picture into one file."""
    arguments = _parser().parse_args(argv)
    from scaling.models.views import check_classifies, likeliest
    from scaling.training.start import start

    paths, weights = pictures(arguments.images), load_weights(arguments)
    record = weights.preprocessing
    if record is None:
        raise ValueError(f"{weights.arch.name} does not say how pictures become its input.")
    check_classifies(weights.arch)
    start(devices=True)
    x_nhwc = np.stack([record.apply(open_picture(path, len(record.mean))) for path in paths])
    class_n = likeliest(weights.arch, weights.variables, x_nhwc)
    names = weights.classes or [str(i) for i in range(weights.arch.num_classes)]
    rows = [
        [(f"{path.name}: {names[k]}", _colours(x_hwc, record)), *panels]
        for path, k, x_hwc, panels in zip(paths, class_n, x_nhwc, views(arguments, weights, x_nhwc, class_n))
    ]
    _save(rows, f"{arguments.kind} of {weights.arch.name}", arguments.out)
    print(f"{len(rows)} pictures, {arguments.kind}: {arguments.out}")


def views(arguments: argparse.Namespace, weights: Any, x_nhwc: Any, class_n: Any) -> list[Panels]:
    """Return the panels of each image."""
    from scaling.models import views as made

    net = weights.arch, weights.variables, x_nhwc
    if arguments.kind == "maps":
        stages = list(made.feature_maps(*net))
        return [_strongest(stages, i, arguments.channels) for i in range(len(x_nhwc))]
    if arguments.kind == "occlusion":
        side = arguments.side or max(1, x_nhwc.shape[1] // 4)
        shares_nhw = made.occlusion(*net, class_n, side, arguments.stride or max(1, side // 2))
        return [[(f"probability, {side} px hidden", shares_hw)] for shares_hw in shares_nhw]
    if arguments.kind == "gradcam":
        return [[("Grad-CAM", cam_hw)] for cam_hw in made.grad_cam(*net, class_n)]
    slopes_nhwc = made.gradient(*net, class_n, GRADIENTS[arguments.kind])
    return [[(arguments.kind, _stretched(x)), ("largest channel", np.abs(x).max(-1))] for x in slopes_nhwc]


def _strongest(stages: Sequence[tuple[str, np.ndarray]], i: int, channels: int) -> Panels:
    """The channels of an image's maps that answer most, stage by stage."""
    panels = []
    for name, map_nhwc in stages:
        best = np.argsort(-np.abs(map_nhwc[i]).mean((0, 1)), kind="stable")[:channels]
        panels += [(f"{name}, {k}", map_nhwc[i, ..., k]) for k in best]
    return panels


def _colours(x_hwc: np.ndarray, record: Any) -> np.ndarray:
    """The picture as the network gets it, [h, w, 3] in [0, 1]."""
    if record.per_image:
        colours = (x_hwc - x_hwc.min()) / max(np.ptp(x_hwc), 1e-6)
    else:
        colours = np.clip(x_hwc * np.array(record.std) + np.array(record.mean), 0, 1)
    return np.broadcast_to(colours, (*x_hwc.shape[:2], 3))


def _stretched(x_hwc: np.ndarray) -> np.ndarray:
    """A gradient about grey, [h, w, 3] in [0, 1]."""
    shown = np.clip(0.5 + x_hwc / (2 * SPREAD * max(x_hwc.std(), 1e-12)), 0, 1)
    return np.broadcast_to(shown, (*x_hwc.shape[:2], 3))


def _save(rows: Sequence[Panels], title: str, path: Path) -> None:
    import io

    from matplotlib.figure import Figure

    columns = max(map(len, rows))
    size = 1.6 * columns + 0.4, 1.9 * len(rows) + 0.4
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    figure.suptitle(verbatim(title), fontsize=10)
    for i, panels in enumerate(rows):
        for j, (caption, image) in enumerate(panels):
            axes: Any = figure.add_subplot(len(rows), columns, i * columns + j + 1)
            axes.imshow(image, cmap="viridis", interpolation="nearest")
            axes.set_title(verbatim(caption), fontsize=6)
            axes.axis("off")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    write_atomically(path, drawn.getvalue())


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.views", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    name_weights(made)
    made.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="pictures, or folders of them")
    made.add_argument("--kind", choices=KINDS, default="gradcam", help="what is drawn (default gradcam)")
    made.add_argument("--out", type=Path, required=True, metavar="FILE", help="the .png file to write")
    made.add_argument("--side", type=int, metavar="PX", help="of what occlusion hides (default a quarter)")
    made.add_argument("--stride", type=int, metavar="PX", help="between its squares (default half of --side)")
    made.add_argument("--channels", type=int, default=3, metavar="N", help="maps a stage (default 3)")
    return made


if __name__ == "__main__":
    cli.run_command(main)
