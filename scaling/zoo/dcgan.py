"""DCGAN (arXiv 1511.06434): a judge of strided convolutions, and a generator that goes the same way back.

The listed layers are the judge's; the generator is the head (`scaling.arch.gan_heads`). The judge mirrors it,
as in the authors' code (Newmu/dcgan_code), whose windows are 5x5.
"""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv
from scaling.arch.gan_heads import Adversarial
from scaling.arch.stages import Stage


def _dcgan(name: str, resolution: int, colours: int, widths: tuple[int, ...], source: str) -> Arch:
    """Section 3: no pooling, batch norm but at the judge's input and the generator's output, leaky units."""
    first, *others = widths
    return Arch(
        name=name,
        family="dcgan",
        stem=(Stage(Conv(5, norm=False, bias=True), first, stride=2),),
        stages=tuple(Stage(Conv(5), width, stride=2) for width in others),
        head=Adversarial(widths=tuple(reversed(widths))),
        resolution=resolution,
        num_classes=colours,
        in_channels=colours,
        activation="leaky_relu",
        rounding="narrow",
        source=source,
    )


_ALL = [
    _dcgan("dcgan", 64, 3, (128, 256, 512, 1024), "arXiv 1511.06434 Figure 1"),
    _dcgan("dcgan_28", 28, 1, (64, 128, 256), "after arXiv 1511.06434, for 28 px, sizes ours"),
]
ARCHS = {arch.name: arch for arch in _ALL}
