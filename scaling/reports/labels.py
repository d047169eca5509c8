"""What a run is called in a report: its network, its size, how it was scaled, the curve it belongs to."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scaling.rules.factors import COMPOUND
from scaling.runs.rows import Row
from scaling.runs.spec import ModelSpec

# The compound rule's bases in the order in which a label tells them
PAPER_BASES = (COMPOUND.depth, COMPOUND.width, COMPOUND.resolution)


def network(row: Row) -> str:
    """The name of the unscaled network."""
    model = row.spec.model
    return (model.arch and model.arch.name) or model.name or row.arch_name


def length(row: Row) -> str:
    """How long the run trained, as its config says it."""
    return row.spec.train.duration


def scaling_kind(row: Row) -> str:
    """How the network was scaled: the rule's name, or the axes that differ from the base."""
    model = row.spec.model
    if row.phi is not None or model.size:
        return model.rule
    return "+".join(_changed_axes(model)) or "base"


def size_label(row: Row) -> str:
    """The scaling coefficients in short: "φ=1", "d=2 w=1.5", or the name of a published size.

    Bases other than the paper's follow the phi, "φ=1 (1.4, 1.1, 1.1)".
    """
    model = row.spec.model
    if model.size:
        return model.size
    if row.phi is None:
        return " ".join(f"{axis[0]}={factor:.3g}" for axis, factor in _changed_axes(model).items()) or "base"
    phi = f"φ={row.phi:g}".replace("-", "−")
    bases = (model.alpha, model.beta, model.gamma)
    if model.rule != "compound" or not row.phi or bases == PAPER_BASES:
        return phi
    return f"{phi} ({', '.join(f'{base:.3g}' for base in bases)})"


def curve_names(rows: Sequence[Row], by_length: bool) -> list[str]:
    """Of each row the curve that it belongs to: its family, and what else sets curves apart.

    Data set, network name, the head, the kind of scaling (compound, or the axes that change) and, with
    `by_length`, the length of training join the name where they differ between rows.
    """
    keys = [
        (
            row.dataset,
            row.family or network(row),
            network(row),
            scaling_kind(row),
            length(row),
            row.spec.model.head,
        )
        for row in rows
    ]
    several_networks = len({key[1:3] for key in keys}) > len({key[1] for key in keys})
    several = {i: len({key[i] for key in keys}) > 1 for i in (0, 3, 4, 5)}
    several[4] &= by_length
    told = [i for i in (5, 3, 0, 4) if several[i]]
    return [
        " · ".join([key[2 if several_networks else 1], *filter(None, (key[i] for i in told))]) for key in keys
    ]


def _changed_axes(model: ModelSpec) -> dict[str, float]:
    factors = {"depth": model.depth, "width": model.width, "resolution": model.resolution}
    return {axis: factor for axis, factor in factors.items() if not math.isclose(factor, 1.0)}
