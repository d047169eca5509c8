"""Voice activity: a gated, dilated, causal network over frames of 40 bands, and the same without dilation.

After S.-Y. Chang et al., ICASSP 2018 (doi 10.1109/ICASSP.2018.8461921), whose sizes are not public: these are
ours. The dilated network sees 65 frames of 10 ms, the other 13.
"""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks import Causal
from scaling.arch.picture_heads import Reconstruction
from scaling.arch.stages import Stage

BANDS, FRAMES = 40, 400


def _voice(name: str, dilations: tuple[int, ...]) -> Arch:
    return Arch(
        name=name,
        family="voice",
        stem=(Stage(Causal(1), 32),),
        stages=tuple(Stage(Causal(3, dilation), 32) for dilation in dilations),
        head=Reconstruction(kernel=1),
        resolution=FRAMES,
        columns=1,
        num_classes=1,
        in_channels=BANDS,
        rounding="narrow",
        source="after doi 10.1109/ICASSP.2018.8461921, sizes ours",
    )


_ALL = [_voice("voice_dilated", (1, 2, 4, 8, 16, 1)), _voice("voice_plain", (1,) * 6)]
ARCHS = {arch.name: arch for arch in _ALL}
