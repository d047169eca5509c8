"""Which stages a network's feature maps come from."""

from __future__ import annotations

from collections.abc import Iterable

from scaling.arch.arch import Arch


def last_stages(arch: Arch, strides: Iterable[int] = ()) -> dict[int, int]:
    """Return {stride: index in `arch.stage_names` of the last stage whose map has it}, finest first.

    ValueError for a stride that no map has.
    """
    last = {grid.stride: i for i, grid in enumerate(arch.feature_grids)}
    chosen = sorted(strides) or list(last)
    if wrong := [stride for stride in chosen if stride not in last]:
        raise ValueError(
            f"{arch.name} has no feature map of stride {', '.join(map(str, wrong))}: its strides are "
            f"{', '.join(map(str, last))}"
            + (f" (output_stride={arch.output_stride})." if arch.output_stride else ".")
        )
    return {stride: last[stride] for stride in chosen}
