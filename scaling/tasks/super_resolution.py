"""Enlarge pictures: the task makes them small by bicubic resizing, as many times as the head enlarges.

Sides are cut to multiples of that factor first, and as many pixels at the edges do not count: the protocol of
arXiv 1501.00092. `model.resolution` is the side of a training window of the small picture."""

from __future__ import annotations

from scaling.tasks import restoration
from scaling.tasks.canvas import bicubic
from scaling.tasks.pictures import Pictures
from scaling.tasks.task import Inputs, Task

MARGIN = 2  # small pixels beyond a window that its bicubic values come from


def _train_inputs(made: Inputs):
    factor, side = _factor(made), made.resolution
    windows = restoration.windows(made.augment, factor * (side + 2 * MARGIN))

    def inputs(fields, keys_b):
        large_nhwc = windows(fields["image"], fields["size"], keys_b)
        small_nhwc = bicubic(large_nhwc, (side + 2 * MARGIN, side + 2 * MARGIN))
        return {"image": _without(small_nhwc, MARGIN), "target": _without(large_nhwc, MARGIN * factor)}

    return inputs


def _eval_inputs(made: Inputs):
    restoration.check_plain(made.augment)
    factor = _factor(made)

    def inputs(fields):
        size_n2 = fields["size"] // factor * factor
        side = -(-fields["image"].shape[1] // factor)
        large_nhwc = restoration.whole(fields["image"], size_n2, factor * side)
        small_nhwc = bicubic(large_nhwc, (side, side))
        held = {"size": size_n2, "position": fields["position"], "shaved": factor}
        return {"image": small_nhwc, "target": large_nhwc, **held}

    return inputs


def _without(x_nhwc, border: int):
    return x_nhwc[:, border:-border, border:-border]


def _factor(made: Inputs) -> int:
    factor = getattr(getattr(made.arch, "head", None), "factor", 1)
    if factor < 2:
        raise ValueError(
            f"config.task='super_resolution' with a head of factor {factor} enlarges nothing: set config.model.head to "
            "'picture_x2', 'picture_x3' or 'picture_x4'."
        )
    return factor


SUPER_RESOLUTION = Task(
    name="super_resolution",
    metric=restoration.PSNR,
    fields=("size",),
    heads=("Reconstruction",),
    train_inputs=_train_inputs,
    eval_inputs=_eval_inputs,
    loss=restoration.loss,
    sums=restoration.sums,
    means=restoration.means,
    adapt=restoration.adapt,
    pictures=Pictures(restoration.see, restoration.score, restoration.panels),
    answer=restoration.ANSWER,
)
