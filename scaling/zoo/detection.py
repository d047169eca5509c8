"""Detectors by their peers' names: torchvision's RetinaNet, SSD, SSDLite, Faster and Mask R-CNN, effdet's
EfficientDet.

Classes are COCO's as the peers count them: 91 with the background, 90 without. Names that begin with `tf_`
pad as TensorFlow does, as the authors' weights need.
"""

from __future__ import annotations

import dataclasses

from scaling.arch.anchors import DefaultBoxes, OctaveAnchors
from scaling.arch.arch import Arch, Norm
from scaling.arch.blocks import Conv, MBConv, Pool
from scaling.arch.box_heads import BOX_HEADS, EfficientDet, RetinaNet, Ssd
from scaling.arch.necks import BiFpn, Extras, Fpn
from scaling.arch.region_heads import TwoStage
from scaling.arch.region_stages import BoxStage, MaskStage
from scaling.arch.stages import Stage
from scaling.rules.factors import EFFICIENTDET
from scaling.rules.scale import apply
from scaling.zoo import efficientnet, mobilenet_v3, resnet, vgg

RETINANET = resnet.ARCHS["resnet50"].replace(
    name="retinanet_resnet50_fpn",
    family="retinanet",
    head=RetinaNet(Fpn(extra="p5")),
    resolution=800,
    num_classes=91,
    weights="tv_retinanet",
    source="arXiv 1708.02002, details as torchvision",
)
RETINANET_V2 = RETINANET.replace(
    name="retinanet_resnet50_fpn_v2",
    head=RetinaNet(Fpn(extra="c5"), norm=True),
    source="arXiv 1708.02002 and 1912.02424, details as torchvision",
)

FASTERRCNN = RETINANET.replace(
    name="fasterrcnn_resnet50_fpn",
    family="fasterrcnn",
    head=TwoStage(),
    weights="tv_fasterrcnn",
    source="arXiv 1506.01497 and 1612.03144, details as torchvision",
)
FASTERRCNN_V2 = FASTERRCNN.replace(
    name="fasterrcnn_resnet50_fpn_v2",
    head=TwoStage(
        Fpn(maps=4, extra="pool", norm=True), repeats=2, box=BoxStage(7, (256,) * 4, (1024,), norm=True)
    ),
    weights="tv_fasterrcnn_v2",
    source="arXiv 1506.01497 and 2111.11429, details as torchvision",
)
MASKRCNN = FASTERRCNN.replace(
    name="maskrcnn_resnet50_fpn",
    family="maskrcnn",
    head=TwoStage(masks=MaskStage()),
    source="arXiv 1703.06870, details as torchvision",
)
MASKRCNN_V2 = FASTERRCNN_V2.replace(
    name="maskrcnn_resnet50_fpn_v2",
    family="maskrcnn",
    head=dataclasses.replace(FASTERRCNN_V2.head, masks=MaskStage(norm=True)),
    source="arXiv 1703.06870 and 2111.11429, details as torchvision",
)


def _ssd_stages() -> tuple[Stage, ...]:
    """VGG-16 with a third pooling that keeps 75 -> 38 pixels, and fc6 and fc7 as convolutions."""
    stages = list(vgg.ARCHS["vgg16"].stages)
    stages[3] = dataclasses.replace(stages[3], block=Pool("max", 2, pad=0, ceil=True))
    plain = Conv(3, norm=False, bias=True)
    fc6, fc7 = dataclasses.replace(plain, dilation=6), dataclasses.replace(plain, kernel=1)
    return (*stages[:-1], Stage(Pool("max", 3), 512), Stage(fc6, 1024), Stage(fc7, 1024))


SSD300 = vgg.ARCHS["vgg16"].replace(
    name="ssd300_vgg16",
    family="ssd",
    stages=_ssd_stages(),
    head=Ssd(
        Extras(unpadded=2),
        DefaultBoxes(
            scales=(0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05), steps=(8, 16, 32, 64)
        ),  # 100 and 300 at 300 px
    ),
    resolution=300,
    num_classes=91,
    drop_rate=0.0,
    weights="tv_ssd",
    source="arXiv 1512.02325 Figure 2, details as torchvision",
)


def _ssdlite_stages() -> tuple[Stage, ...]:
    """MobileNetV3 whose last stride halves widths, and shows the expansion before it as a map."""
    *early, last = mobilenet_v3.LARGE.stages
    assert isinstance(last.block, MBConv)
    entering = early[-1].width
    expansion = Stage(Conv(1), last.block.expanded(entering))
    strided = dataclasses.replace(last, block=dataclasses.replace(last.block, expand=1), repeats=1, width=80)
    rest = dataclasses.replace(last, repeats=last.repeats - 1, stride=1, width=80)
    return (*early, expansion, strided, rest, Stage(Conv(1), 480))


SSDLITE320 = mobilenet_v3.LARGE.replace(
    name="ssdlite320_mobilenet_v3_large",
    family="ssdlite",
    stages=_ssdlite_stages(),
    head=BOX_HEADS["ssdlite"],
    resolution=320,
    num_classes=91,
    norm=Norm(eps=1e-3, momentum=0.97),
    drop_rate=0.0,
    weights="tv_ssdlite",
    source="arXiv 1905.02244 section 6.3, details as torchvision",
)

# the authors' code, which `tf_` names follow, has biases before norms
TF_HEAD = EfficientDet(BiFpn(), eps=1e-3, momentum=0.99)
HEAD = dataclasses.replace(TF_HEAD, neck=BiFpn(bias=False), bias=False)


def _efficientdet(base: Arch, name: str, source: str, **changes) -> Arch:
    detector = base.replace(head=HEAD, resolution=512, num_classes=90, drop_rate=0.0, weights="effdet")
    return detector.replace(name=name, family="efficientdet", source=source, **changes)


D0 = _efficientdet(
    efficientnet.B0, "efficientdet_d0", "arXiv 1911.09070 Table 1", drop_path_rate=0.1
)  # rates of effdet config/model_config.py


def _sized(size: str, tf: bool) -> Arch:
    base = D0.replace(head=TF_HEAD) if tf else D0
    arch = apply(base, EFFICIENTDET, size).replace(name=f"efficientdet_{size}")
    rate = 0.2 if tf or size != "d0" else 0.1
    return (efficientnet.tensorflow(arch) if tf else arch).replace(drop_path_rate=rate)


# size: (side, anchor scale, width of the neck). effdet config/model_config.py; google/automl
# efficientdet/hparams_config.py
LITE_ROWS = {
    "lite0": (320, 3, 64),
    "lite1": (384, 3, 88),
    "lite2": (448, 3, 112),
    "lite3": (512, 4, 160),
    "lite3x": (640, 3, 200),
    "lite4": (640, 4, 224),
}


def _lite(size: str) -> Arch:
    """The necks and towers of D0 to D4, without weights, over EfficientNet-Lite; "x" is a wider neck."""
    side, scale, width = LITE_ROWS[size]
    whole = size.removesuffix("x")
    neck_and_towers = apply(D0.replace(head=TF_HEAD), EFFICIENTDET, whole.replace("lite", "d")).head
    assert isinstance(neck_and_towers, EfficientDet) and isinstance(neck_and_towers.neck, BiFpn)
    neck = dataclasses.replace(neck_and_towers.neck, fusion="sum", width=width)
    head = dataclasses.replace(neck_and_towers, neck=neck, priors=OctaveAnchors(scale=float(scale)))
    source = "google/automl efficientdet/hparams_config.py"
    arch = _efficientdet(
        efficientnet.ARCHS[f"efficientnet_{whole}"],
        f"efficientdet_{size}",
        source,
        head=head,
        resolution=side,
    )
    return efficientnet.tensorflow(arch).replace(drop_path_rate=0.0 if size == "lite0" else 0.2)


_ALL = [
    *(RETINANET, RETINANET_V2, SSD300, SSDLITE320, FASTERRCNN, FASTERRCNN_V2, MASKRCNN, MASKRCNN_V2),
    *(_sized(size, tf=False) for size in ("d0", "d1", "d2", "d3")),
    *(_sized(size.name, tf=True) for size in EFFICIENTDET.sizes),
    *map(_lite, LITE_ROWS),
]

ARCHS = {arch.name: arch for arch in _ALL}
