"""EfficientNet's official coefficients beside the formula that the paper prints: what phi each implies."""

from __future__ import annotations

import math

from experiments.tables.entry import GIGA_MACS, Entry, Table
from experiments.tables.wanted import cost
from scaling import zoo
from scaling.rules.factors import COMPOUND, EFFICIENTNET, EFFICIENTNET_ROWS
from scaling.rules.scale import apply, compound

SOURCE = EFFICIENTNET.source
# The phi as which a size's name is often read
PHI = {f"b{i}": i for i in range(9)}
AXES = ("depth", "width", "resolution")


def implied_phi(name: str) -> dict[str, float]:
    """The phi at which the paper's alpha, beta or gamma would give an official coefficient."""
    size = EFFICIENTNET.size(name)
    return {axis: math.log(getattr(size, axis)) / math.log(getattr(COMPOUND, axis)) for axis in AXES}


def strict_or_official() -> Table:
    """Official sizes: the phi that each axis implies, and multiply-adds beside the formula's at whole phi."""
    b0, entries = zoo.get("efficientnet_b0"), []
    for name, width, depth, side in EFFICIENTNET_ROWS:
        printed = dict(zip(AXES, (depth, width, side), strict=True))
        for axis, phi in implied_phi(name).items():
            reason = f"official {axis} {printed[axis]:g}" + (" px" if axis == "resolution" else "")
            entries.append(Entry(name, f"phi by {axis}", "", round(phi, 2), SOURCE, reason))
        official = cost(apply(b0, EFFICIENTNET, name))
        entries.append(Entry(name, "MACs, official (G)", "", GIGA_MACS.of(official), SOURCE))
        if name in PHI:
            strict = compound(b0, PHI[name])
            reason = (
                f"phi = {PHI[name]}: {strict.resolution} px, {strict.depth} blocks, widths {strict.widths}"
            )
            entries.append(Entry(name, "MACs, formula (G)", "", GIGA_MACS.of(cost(strict)), SOURCE, reason))
    return Table("EfficientNet: official table and strict formula", tuple(entries))
