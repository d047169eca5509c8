"""Networks that restore pictures: DnCNN (arXiv 1608.03981), which takes noise off, and ESPCN (1609.05158),
which enlarges.

The input of DnCNN is a window of 40 pixels in training, that of ESPCN one of 17 small pixels; both answer for
pictures of any size.
"""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv
from scaling.arch.picture_heads import Reconstruction
from scaling.arch.stages import Stage

_GREY = {"num_classes": 1, "in_channels": 1, "rounding": "chain"}
# Section III-B: D = 17 layers of 64 filters for a known level of noise; no bias where a norm follows
DNCNN = Arch(
    name="dncnn",
    family="dncnn",
    stem=(Stage(Conv(3, norm=False, bias=True), 64),),
    stages=(Stage(Conv(3), 64, 15),),
    head=Reconstruction(residual=True, bias=False),
    resolution=40,
    source="arXiv 1608.03981 section III",
    **_GREY,
)


def _espcn(factor: int) -> Arch:
    """Section 3.1: (5, 64), (3, 32) and a last layer of 3; tanh, the better one of section 3.3."""
    return Arch(
        name=f"espcn_x{factor}",
        family="espcn",
        stem=(Stage(Conv(5, norm=False, bias=True), 64),),
        stages=(Stage(Conv(3, norm=False, bias=True), 32),),
        head=Reconstruction(factor=factor),
        resolution=17,
        activation="tanh",
        source="arXiv 1609.05158 section 3",
        **_GREY,
    )


ARCHS = {arch.name: arch for arch in (DNCNN, *map(_espcn, (2, 3, 4)))}
