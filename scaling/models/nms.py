"""Of boxes of a class that overlap, keep the best: greedily, or by lowering the scores of the others.

Both work on a fixed number of boxes, of which those with a score of -inf stand for none; they are pure, and
may be jitted and mapped over images."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from scaling.models.boxes import iou_matrix


def nms(boxes_n4, scores_n, classes_n, threshold: float) -> jax.Array:
    """Return which boxes are kept, bool (n,): none overlaps a better kept one of its class by more than
    `threshold`. Of equal scores the first is the better."""
    order = jnp.argsort(-scores_n, stable=True)
    rivals_nn = _rivals(boxes_n4[order], classes_n[order], threshold)

    def decide(i, kept_n):
        beaten_n = kept_n[i] & rivals_nn[i] & (jnp.arange(len(kept_n)) > i)
        return kept_n & ~beaten_n

    kept_n = jax.lax.fori_loop(0, len(order), decide, scores_n[order] > -jnp.inf)
    return jnp.zeros_like(kept_n).at[order].set(kept_n)


def soft_nms(boxes_n4, scores_n, classes_n, sigma: float = 0.5) -> jax.Array:
    """Return scores (n,), multiplied by exp(-IoU**2 / sigma) for each better box of the class.

    Scores must be above 0, but for -inf. Source: arXiv 1704.04503, the Gaussian form.
    """
    same_nn = classes_n[:, None] == classes_n[None]
    decay_nn = jnp.where(same_nn, jnp.exp(-(iou_matrix(boxes_n4, boxes_n4) ** 2) / sigma), 1.0)

    def choose(_, state):
        scores_n, open_n = state
        best = jnp.argmax(jnp.where(open_n, scores_n, -jnp.inf))
        open_n = open_n.at[best].set(False)
        return jnp.where(open_n, scores_n * decay_nn[best], scores_n), open_n

    return jax.lax.fori_loop(0, len(scores_n), choose, (scores_n, scores_n > -jnp.inf))[0]


def _rivals(boxes_n4, classes_n, threshold: float):
    """Which boxes exclude each other, bool (n, n)."""
    return (iou_matrix(boxes_n4, boxes_n4) > threshold) & (classes_n[:, None] == classes_n[None])
