"""Which anchor answers for which true box: by overlap, with rules that leave no box without an anchor."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

BACKGROUND, IGNORED = -1, -2

# What is done for a box that no anchor overlaps enough
NOTHING, LOW_QUALITY, FORCED = "", "low_quality", "forced"


@dataclass(frozen=True)
class Matcher:
    """An anchor takes the box that it overlaps most where IoU is at least `high`; below `low` it is
    background, between them it is ignored.

    `rescue="low_quality"` also lets the anchors with the highest IoU of each box take what they overlap most,
    however little (torchvision's `allow_low_quality_matches`); `rescue="forced"` gives the best anchor of
    each box to that box, whatever else it overlaps (SSD, arXiv 1512.02325 section 2.2; EfficientDet).
    """

    low: float
    high: float
    rescue: str = NOTHING

    def __call__(self, overlaps_ma, real_m) -> jax.Array:
        """Return for each anchor the index of its box, BACKGROUND or IGNORED, int32 (a,).

        `overlaps_ma` are IoUs of the boxes, of which only those that are `real_m` count, and the anchors.
        """
        overlaps_ma = jnp.where(real_m[:, None], overlaps_ma, -1.0)
        best_a, index_a = jnp.max(overlaps_ma, 0), jnp.argmax(overlaps_ma, 0).astype(jnp.int32)
        matched_a = jnp.where(best_a < self.low, BACKGROUND, jnp.where(best_a < self.high, IGNORED, index_a))
        if self.rescue == LOW_QUALITY:
            best_m1 = jnp.max(overlaps_ma, 1, keepdims=True)
            # a box that no anchor touches would be best everywhere
            rescued_a = jnp.any((overlaps_ma == best_m1) & (best_m1 > 0), 0)
            return jnp.where(rescued_a, index_a, matched_a)
        return _forced(overlaps_ma, matched_a) if self.rescue == FORCED else matched_a


# RetinaNet's in arXiv 1708.02002 section 4 and in torchvision; SSD's, which EfficientDet took over
RETINANET, SSD = Matcher(0.4, 0.5, LOW_QUALITY), Matcher(0.5, 0.5, FORCED)


def _forced(overlaps_ma, matched_a):
    """Give each box its best anchor; of boxes that want the same one, the last has it."""
    owners = jnp.arange(len(overlaps_ma), dtype=jnp.int32)
    touched_m = jnp.max(overlaps_ma, 1) > 0
    wanted_m = jnp.where(touched_m, jnp.argmax(overlaps_ma, 1), overlaps_ma.shape[1])  # none is out of range
    owner_a = jnp.full(overlaps_ma.shape[1], -1, jnp.int32).at[wanted_m].max(owners, mode="drop")
    return jnp.where(owner_a >= 0, owner_a, matched_a)


def hard_negatives(loss_a, positive_a, candidate_a, ratio: float = 3.0) -> jax.Array:
    """Return which anchors of an image count as background: of the candidates those of the highest loss.

    They are `ratio` for each positive anchor, and `ratio` where there is none, so that an image without boxes
    teaches too; of equal losses the first counts (arXiv 1512.02325 section 2.2).
    """
    loss_a = jax.lax.stop_gradient(jnp.where(candidate_a, loss_a, -jnp.inf))
    rank_a = jnp.argsort(jnp.argsort(-loss_a))
    return candidate_a & (rank_a < ratio * jnp.maximum(1, jnp.sum(positive_a)))
