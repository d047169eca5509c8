"""ConvNeXt T, S, B, L, XL (arXiv 2201.03545) in timm's names: the modern reference point."""

from __future__ import annotations

from scaling.arch.arch import Arch, Norm
from scaling.arch.blocks import ConvNeXt, Patches
from scaling.arch.head import Head
from scaling.arch.stages import Stage

# size: (widths, repeats, drop path). arXiv 2201.03545 section 3, "ConvNeXt variants"; drop paths from
# facebookresearch/ConvNeXt TRAINING.md, ImageNet-1k (XL: ImageNet-22k)
ROWS = {
    "tiny": ((96, 192, 384, 768), (3, 3, 9, 3), 0.1),
    "small": ((96, 192, 384, 768), (3, 3, 27, 3), 0.4),
    "base": ((128, 256, 512, 1024), (3, 3, 27, 3), 0.5),
    "large": ((192, 384, 768, 1536), (3, 3, 27, 3), 0.5),
    "xlarge": ((256, 512, 1024, 2048), (3, 3, 27, 3), 0.2),
}


def _arch(size: str, widths: tuple[int, ...], repeats: tuple[int, ...], drop_path: float) -> Arch:
    rows = zip(widths, repeats, (1, 2, 2, 2))
    return Arch(
        name=f"convnext_{size}",
        family="convnext",
        stem=(Stage(Patches(), widths[0], stride=4),),
        stages=tuple(Stage(ConvNeXt(), width, count, stride) for width, count, stride in rows),
        head=Head(layer_norm=True),
        resolution=224,
        activation="gelu",
        norm=Norm(eps=1e-6),
        rounding="resnet",
        drop_path_rate=drop_path,
        weights="timm_convnext",
        source="arXiv 2201.03545 section 3",
    )


ARCHS = {f"convnext_{size}": _arch(size, *row) for size, row in ROWS.items()}
