"""Published networks as values, by timm's names (torchvision's or the paper's where timm has none)."""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.head import Auxiliary
from scaling.border.typed import nearest
from scaling.zoo import (
    alexnet,
    amoebanet,
    cifar_resnet,
    convnext,
    darts,
    dcgan,
    densenet,
    detection,
    efficientnet,
    efficientnet_v2,
    enas,
    faces,
    ghostnet,
    inception,
    inception_v3,
    inception_v4,
    lenet,
    mnasnet,
    mobilenet_v1,
    mobilenet_v2,
    mobilenet_v3,
    nasbench201,
    nasnet,
    nin,
    regnet,
    resnet,
    resnet_rs,
    restoration,
    segmentation,
    shufflenet_v1,
    shufflenet_v2,
    squeezenet,
    vgg,
    voice,
    xception,
)

ZOO: dict[str, Arch] = {
    **efficientnet.ARCHS,
    **efficientnet_v2.ARCHS,
    **resnet.ARCHS,
    **resnet_rs.ARCHS,
    **cifar_resnet.ARCHS,
    **mobilenet_v2.ARCHS,
    **mobilenet_v1.ARCHS,
    **mobilenet_v3.ARCHS,
    **mnasnet.ARCHS,
    **ghostnet.ARCHS,
    **shufflenet_v1.ARCHS,
    **shufflenet_v2.ARCHS,
    **lenet.ARCHS,
    **alexnet.ARCHS,
    **nin.ARCHS,
    **vgg.ARCHS,
    **squeezenet.ARCHS,
    **regnet.ARCHS,
    **densenet.ARCHS,
    **convnext.ARCHS,
    **inception.ARCHS,
    **inception_v3.ARCHS,
    **inception_v4.ARCHS,
    **xception.ARCHS,
    **nasnet.ARCHS,
    **amoebanet.ARCHS,
    **darts.ARCHS,
    **enas.ARCHS,
    **segmentation.ARCHS,
}

# Classifiers that training alone has, of networks that are listed without: `config.model.auxiliary`
AUXILIARIES: dict[str, tuple[Auxiliary, ...]] = {
    "inception_v3": inception_v3.AUXILIARY,
    **{name: nasnet.AUXILIARY for name, arch in nasnet.ARCHS.items() if arch.family != "pnasnet"},
}

# Networks whose outputs few of what runs over all names can take: detectors' boxes, pictures, voice,
# vectors; and those that take pictures of one side only;
# `names` gives them by family
DENSE: dict[str, Arch] = {**detection.ARCHS, **restoration.ARCHS, **voice.ARCHS, **dcgan.ARCHS, **faces.ARCHS}


def get(name: str) -> Arch:
    """Return the named network; KeyError with the nearest names where there is none.

    "nasbench201-DIGITS" is the benchmark's network of a cell (`scaling.zoo.nasbench201.cell`); it is not
    listed."""
    if name.startswith(f"{nasbench201.FAMILY}-"):
        return nasbench201.network(nasbench201.cell(name.partition("-")[2])).replace(name=name)
    known = {**ZOO, **DENSE}
    if name not in known:
        raise KeyError(
            f"no model named {name!r}{nearest(name, known) or '.'} docs/zoo.md lists all {len(known)}."
        )
    return known[name]


def names(family: str | None = None) -> list[str]:
    """Return all names but those of `DENSE`, or those of one family of any networks.

    KeyError with the nearest families where there is none."""
    if family is None:
        return list(ZOO)
    known = {**ZOO, **DENSE}
    families = list(dict.fromkeys(arch.family for arch in known.values()))
    if family not in families:
        raise KeyError(
            f"no family {family!r}{nearest(family, families) or '.'} Families: {', '.join(families)}."
        )
    return [name for name, arch in known.items() if arch.family == family]
