"""Xception (arXiv 1610.02357), timm's `legacy_xception`, and DeepLab's aligned forms (arXiv 1802.02611)."""

from __future__ import annotations

from scaling.arch.arch import Arch, Norm
from scaling.arch.blocks import Conv, Xception
from scaling.arch.head import Head
from scaling.arch.stages import Stage

MIDDLE = 728


def _legacy(*inner: int, **fields) -> Xception:
    return Xception(inner, **fields)


# arXiv 1610.02357 Figure 5: entry, middle and exit flow
LEGACY = (
    Stage(_legacy(128, reduce="pool", first_act=False), 128, stride=2),
    Stage(_legacy(256, reduce="pool"), 256, stride=2),
    Stage(_legacy(MIDDLE, reduce="pool"), MIDDLE, stride=2),
    Stage(_legacy(MIDDLE, MIDDLE), MIDDLE, repeats=8),
    Stage(_legacy(MIDDLE, reduce="pool"), 1024, stride=2),
    Stage(_legacy(1536, post=True), 2048),
)


def _aligned(width: int, inner: tuple[int, int] | None = None, stride: int = 2) -> Stage:
    """A block of entry or exit flow, three convolutions of which the last strides."""
    block = Xception(inner or (width, width), reduce="conv", norm_depthwise=True)
    return Stage(block, width, stride=stride)


def _aligned_stages(entry: tuple[Stage, ...], middle: int) -> tuple[Stage, ...]:
    """arXiv 1802.02611 Figure 4: `middle` equal blocks between entry and exit flow."""
    return (
        *entry,
        Stage(Xception((MIDDLE, MIDDLE), norm_depthwise=True), MIDDLE, repeats=middle),
        _aligned(1024, (MIDDLE, 1024)),
        Stage(Xception((1536, 1536), norm_depthwise=True, post=True), 2048),
    )


ENTRY = (_aligned(128), _aligned(256), _aligned(MIDDLE))
LONG_ENTRY = (
    _aligned(128),
    _aligned(256, stride=1),
    _aligned(256),
    _aligned(MIDDLE, stride=1),
    _aligned(MIDDLE),
)


def _arch(name: str, pad: int | None, stages: tuple[Stage, ...], **fields) -> Arch:
    return Arch(
        name,
        "xception",
        stem=(Stage(Conv(3, pad=pad), 32, stride=2), Stage(Conv(3, pad=pad), 64)),
        stages=stages,
        head=Head(),
        resolution=299,
        rounding="inception",
        **fields,
    )


_ALL = [
    _arch(
        "legacy_xception",
        0,
        LEGACY,
        drop_rate=0.5,  # section 4.3
        weights="timm_xception",
        source="arXiv 1610.02357 Figure 5 as timm models/xception.py",
    ),
    *(
        _arch(
            f"xception{depth}",
            None,
            stages,
            norm=Norm(eps=1e-3),
            weights="timm_xception_aligned",
            source="arXiv 1802.02611 Figure 4 as timm models/xception_aligned.py",
        )
        for depth, stages in {
            41: _aligned_stages(ENTRY, 8),
            65: _aligned_stages(ENTRY, 16),
            71: _aligned_stages(LONG_ENTRY, 16),
        }.items()
    ),
]

ARCHS = {arch.name: arch for arch in _ALL}
