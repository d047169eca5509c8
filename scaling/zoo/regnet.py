"""RegNetX and RegNetY (arXiv 2003.13678) in timm's names: stages from a quantised linear function.

The published parameters are typed; the stages follow from them. timm's numbers are the multiply-adds
in units of 10^8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, XBlock
from scaling.arch.head import Head
from scaling.arch.stages import Stage

STEP = 8  # widths are multiples of 8


@dataclass(frozen=True)
class Line:
    """What a RegNet is generated from.

    Block j of `depth` has the width w_0 + w_a * j, moved to the nearest w_0 * w_m ** k for a whole k, and
    rounded; blocks of one width are a stage, of 3x3 convolutions in groups of `group_width` channels.
    """

    depth: int
    w_0: int
    w_a: float
    w_m: float
    group_width: int

    def stages(self, se_ratio: float) -> tuple[Stage, ...]:
        """The stages, each of stride 2. Source: arXiv 2003.13678 section 3.3, equations 2 to 4."""
        widths = [self._width(j) for j in range(self.depth)]
        return tuple(
            self._stage(width, widths.count(width), se_ratio) for width in sorted(set(widths))
        )  # widths grow, so that sorted is in order

    def _width(self, j: int) -> int:
        k = round(math.log(1 + self.w_a * j / self.w_0, self.w_m))
        return round(self.w_0 * self.w_m**k / STEP) * STEP

    def _stage(self, width: int, repeats: int, se_ratio: float) -> Stage:
        """A stage of whole groups: one group where the width is less, else the nearest multiple."""
        group = min(self.group_width, width)
        return Stage(XBlock(group, se_ratio), round(width / group) * group, repeats, stride=2)


# facebookresearch/pycls configs/dds_baselines/regnetx and regnety, one file a row (the paper prints the
# stages in its appendix): depth, w_0, w_a, w_m, group width
X = {
    "002": Line(13, 24, 36.44, 2.49, 8),  # RegNetX-200MF_dds_8gpu.yaml
    "004": Line(22, 24, 24.48, 2.54, 16),  # RegNetX-400MF_dds_8gpu.yaml
    "006": Line(16, 48, 36.97, 2.24, 24),  # RegNetX-600MF_dds_8gpu.yaml
    "008": Line(16, 56, 35.73, 2.28, 16),  # RegNetX-800MF_dds_8gpu.yaml
    "016": Line(18, 80, 34.01, 2.25, 24),  # RegNetX-1.6GF_dds_8gpu.yaml
    "032": Line(25, 88, 26.31, 2.25, 48),  # RegNetX-3.2GF_dds_8gpu.yaml
    "040": Line(23, 96, 38.65, 2.43, 40),  # RegNetX-4.0GF_dds_8gpu.yaml
    "064": Line(17, 184, 60.83, 2.07, 56),  # RegNetX-6.4GF_dds_8gpu.yaml
    "080": Line(23, 80, 49.56, 2.88, 120),  # RegNetX-8.0GF_dds_8gpu.yaml
    "120": Line(19, 168, 73.36, 2.37, 112),  # RegNetX-12GF_dds_8gpu.yaml
    "160": Line(22, 216, 55.59, 2.1, 128),  # RegNetX-16GF_dds_8gpu.yaml
    "320": Line(23, 320, 69.86, 2.0, 168),  # RegNetX-32GF_dds_8gpu.yaml
}
Y = {
    "002": Line(13, 24, 36.44, 2.49, 8),  # RegNetY-200MF_dds_8gpu.yaml
    "004": Line(16, 48, 27.89, 2.09, 8),  # RegNetY-400MF_dds_8gpu.yaml
    "006": Line(15, 48, 32.54, 2.32, 16),  # RegNetY-600MF_dds_8gpu.yaml
    "008": Line(14, 56, 38.84, 2.4, 16),  # RegNetY-800MF_dds_8gpu.yaml
    "016": Line(27, 48, 20.71, 2.65, 24),  # RegNetY-1.6GF_dds_8gpu.yaml
    "032": Line(21, 80, 42.63, 2.66, 24),  # RegNetY-3.2GF_dds_8gpu.yaml
    "040": Line(22, 96, 31.41, 2.24, 64),  # RegNetY-4.0GF_dds_8gpu.yaml
    "064": Line(25, 112, 33.22, 2.27, 72),  # RegNetY-6.4GF_dds_8gpu.yaml
    "080": Line(17, 192, 76.82, 2.19, 56),  # RegNetY-8.0GF_dds_8gpu.yaml
    "120": Line(19, 168, 73.36, 2.37, 112),  # RegNetY-12GF_dds_8gpu.yaml
    "160": Line(18, 200, 106.23, 2.48, 112),  # RegNetY-16GF_dds_8gpu.yaml
    "320": Line(20, 232, 115.89, 2.53, 232),  # RegNetY-32GF_dds_8gpu.yaml
}


def _arch(kind: str, size: str, line: Line, se_ratio: float) -> Arch:
    return Arch(
        name=f"regnet{kind}_{size}",
        family=f"regnet{kind}",
        stem=(Stage(Conv(3), 32, stride=2),),
        stages=line.stages(se_ratio),
        head=Head(),
        resolution=224,
        rounding="regnet",
        weights="timm_regnet",
        source="arXiv 2003.13678; facebookresearch/pycls configs/dds_baselines",
    )


_ALL = [_arch("x", size, line, se_ratio=0.0) for size, line in X.items()]
_ALL += [_arch("y", size, line, se_ratio=0.25) for size, line in Y.items()]

ARCHS = {arch.name: arch for arch in _ALL}
