"""What classifies: the head after the last stage, and classifiers that only training runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from scaling.arch.fields import LATER, SIDE, WIDTH

OUTPUTS = LINEAR, CODES, LEARNED_CODES = "linear", "codes", "learned_codes"


@dataclass(frozen=True)
class Head:
    """What follows the last stage: an optional 1x1 convolution of `width`, pooling, a classifier.

    `preact` adds the final norm and activation that pre-activation networks need. `hidden` are the
    widths of fully connected layers with bias, activation and dropout; the first reads the feature map,
    averaged to `grid` x `grid` pixels, of a larger one with `slide` every such window (and averages
    after the last). `per_pixel` classifies and activates every pixel, then averages. `layer_norm`
    normalises between pooling and classifier. `act` activates the feature map first, as the networks
    whose cells end without an activation need. `output` is the classifier: a "linear" layer, or minus the
    squared distance to a code of +1 and -1 for each class, which stays ("codes") or moves ("learned_codes")
    (`scaling.models.codes`).
    """

    width: int | None = None
    preact: bool = False
    hidden: tuple[int, ...] = field(default=(), metadata=LATER)
    grid: int = field(default=1, metadata={**LATER, **SIDE})
    slide: bool = field(default=False, metadata=LATER)
    per_pixel: bool = field(default=False, metadata=LATER)
    layer_norm: bool = field(default=False, metadata=LATER)
    act: bool = field(default=False, metadata=LATER)
    output: str = field(default=LINEAR, metadata=LATER)


@dataclass(frozen=True)
class Auxiliary:
    """A classifier that reads the output of stage `after` while training; `weight` is that of its loss.

    The map, averaged to `grid` x `grid` pixels, goes through a 1x1 convolution of `width`, fully connected
    layers of the widths `hidden`, dropout, and the classifier. The convolution is normalised or has a bias,
    as `norm` says; the hidden layers as `norm_hidden` says. `act` activates the map first, as in `Head`.
    Source: arXiv 1409.4842 section 5.
    """

    after: int
    weight: float = 0.3
    width: int = field(default=128, metadata=WIDTH)
    hidden: tuple[int, ...] = field(default=(1024,), metadata=WIDTH)
    grid: int = field(default=4, metadata=SIDE)
    drop_rate: float = 0.7
    norm: bool = True
    norm_hidden: bool = False
    act: bool = field(default=False, metadata=LATER)
