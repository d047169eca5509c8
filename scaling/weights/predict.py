"""From pictures to probabilities by trained weights, a fixed number of them at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import jax
import numpy as np

from scaling.arch.head import Head
from scaling.models.network import build
from scaling.weights.files import Weights


def predictions(weights: Weights, images: Iterable[Any], batch: int = 32) -> Iterator[np.ndarray]:
    """Yield for each image float32[classes], the probabilities of a softmax.

    Images are Pillow's, or uint8[H, W, C]; they are read as they are needed. ValueError where the weights do
    not say how pictures become their input.
    """
    if not isinstance(getattr(weights.arch, "head", Head()), Head):
        raise ValueError(f"{weights.arch.name} answers for every place of an image, not for the whole of it.")  # noqa: TRY004
    if weights.preprocessing is None:
        raise ValueError(
            f"the weights of {weights.arch.name} do not say how pictures become their input: save them with a "
            "preprocessing record (scaling.save(..., preprocessing=...))."
        )
    net = build(weights.arch)
    run = jax.jit(lambda variables, x_nhwc: jax.nn.softmax(net.apply(variables, x_nhwc, train=False)))
    variables = jax.device_put(weights.variables)
    waiting = iter(images)
    while some := list(islice(waiting, batch)):
        x_nhwc = np.stack([weights.preprocessing.apply(image) for image in some])
        missing = batch - len(some)
        padded = np.pad(x_nhwc, ((0, missing), (0, 0), (0, 0), (0, 0)))
        yield from np.asarray(run(variables, padded))[: len(some)]
