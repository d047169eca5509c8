"""A network as the backbone of another: its feature maps instead of its logits, from the same variables."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from flax import linen as nn

from scaling.arch.arch import Arch
from scaling.arch.head import Head
from scaling.arch.map_heads import MapHead
from scaling.arch.maps import last_stages
from scaling.models.network import Network


class Backbone(Network):
    """The feature maps of a network: (n, h, w, c) images -> {stride: (n, h / stride, w / stride, width)}.

    Finest first. Of each of `strides` (empty: all) it is the last map, that is of the last stage
    before one that strides again; stages that come later are not run. Variables are those of
    `Network`; a tree with more (a head's) serves too. A pre-activated network's maps are sums that
    the next stage would still normalise. A map's values are in `dtype`.
    """

    strides: tuple[int, ...] = ()

    @nn.compact
    def __call__(self, images_nhwc, train: bool = False, keys_b=None) -> dict[int, Any]:
        wanted = {place: stride for stride, place in last_stages(self.arch, self.strides).items()}
        keys_b, rates = self._randomness(images_nhwc.shape[0], train, keys_b)
        maps = itertools.islice(self.maps(images_nhwc, train, keys_b, rates), max(wanted) + 1)
        return {wanted[i]: x_nhwc for i, x_nhwc in enumerate(maps) if i in wanted}


class StageMaps(Network):
    """The feature maps of all stages of a network, in the order of `arch.stage_names`."""

    @nn.compact
    def __call__(self, images_nhwc, train: bool = False, keys_b=None) -> list[Any]:
        keys_b, rates = self._randomness(images_nhwc.shape[0], train, keys_b)
        return list(self.maps(images_nhwc, train, keys_b, rates))


def backbone(
    arch: Arch, strides: Iterable[int] = (), output_stride: int | None = None, **options: Any
) -> Backbone:
    """Return the module that computes an architecture's feature maps of `strides` (none given: of all).

    `output_stride` replaces the architecture's: the last maps are dilated to lie no further apart.
    Options are the fields of `Network`. ValueError, naming the strides there are, for any other.
    """
    if output_stride is not None:
        # A head that answers for every place refuses strides that it cannot read, but nothing runs it here
        head = Head() if isinstance(arch.head, MapHead) else arch.head
        arch = arch.replace(output_stride=output_stride, head=head)
    return Backbone(arch, strides=tuple(last_stages(arch, strides)), **options)
