"""Voice activity: a gated, dilated, causal network over frames of 40 bands, its undilated twin, and an LSTM.

After S.-Y. Chang et al., ICASSP 2018 (doi 10.1109/ICASSP.2018.8461921), whose sizes are not public: these are
ours. The dilated network sees 65 frames of 10 ms, the other 13, the LSTM all before; it has 9 % fewer
parameters.
"""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Causal, Lstm
from scaling.arch.picture_heads import Reconstruction
from scaling.arch.stages import Stage

BANDS, FRAMES = 40, 400


def _voice(name: str, stages: tuple[Stage, ...], source: str) -> Arch:
    return Arch(
        name=name,
        family="voice",
        stem=(Stage(Causal(1), 32),),
        stages=stages,
        head=Reconstruction(kernel=1),
        resolution=FRAMES,
        columns=1,
        num_classes=1,
        in_channels=BANDS,
        rounding="narrow",
        source=source,
    )


def _causal(name: str, dilations: tuple[int, ...]) -> Arch:
    stages = tuple(Stage(Causal(3, dilation), 32) for dilation in dilations)
    return _voice(name, stages, "after doi 10.1109/ICASSP.2018.8461921, sizes ours")


_ALL = [
    _causal("voice_dilated", (1, 2, 4, 8, 16, 1)),
    _causal("voice_plain", (1,) * 6),
    _voice("voice_lstm", (Stage(Lstm(), 48, repeats=2),), "ours, the usual baseline"),
]
ARCHS = {arch.name: arch for arch in _ALL}
