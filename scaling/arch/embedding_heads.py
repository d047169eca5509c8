"""A head that answers a point on the unit sphere, as a value: near for examples of one class, also a new
one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from scaling.arch.fields import SIDE
from scaling.arch.map_heads import MapHead
from scaling.arch.totals import Map, Totals


@dataclass(frozen=True)
class Embedding(MapHead):
    """The last map, averaged to `grid` x `grid` pixels, as `size` numbers of length 1.

    Batch norm before keeps vectors apart that a loss of triplets would draw into one point (arXiv 1801.07698
    section 3.1 has it there too).
    The network returns {"embedding": (n, size)}; with `classifies` also the products of the vector, before it
    gets length 1, with a vector for each class of the training data, {"logits": (n, classes)}, and the
    cosines of their angles, {"cosines": (n, classes)}.
    """

    size: int = 64
    grid: int = field(default=1, metadata=SIDE)
    classifies: bool = False

    def problem(self, strides: tuple[int, ...]) -> str:
        del strides
        good = min(self.size, self.grid) >= 1
        return "" if good else f"needs a size and a grid of at least 1, not {self.size} and {self.grid}."

    def cost(self, maps: Sequence[Map], classes: int, side: int) -> Totals:
        del side
        sums = Totals()
        sums.conv_norm(1, maps[-1].channels * self.grid**2, self.size)
        if self.classifies:
            sums.conv(1, self.size, classes)
        return sums


# By the names that a config's `model.head` takes
EMBEDDING_HEADS: dict[str, MapHead] = {
    "embedding": Embedding(),
    "embedding_classes": Embedding(classifies=True),
}
KINDS = (Embedding,)
