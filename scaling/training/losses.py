"""Cross-entropy and top-k accuracy, in float32 whatever the network computes in."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def smooth(targets_bk, smoothing: float):
    """Mix the target distribution with the uniform one. Source: arXiv 1512.00567, section 7."""
    return targets_bk * (1.0 - smoothing) + smoothing / targets_bk.shape[-1]


def cross_entropy(logits_bk, targets_bk):
    """Return the softmax cross-entropy of each example, in nats; targets are distributions."""
    log_probs_bk = jax.nn.log_softmax(logits_bk.astype(jnp.float32))
    return -jnp.sum(targets_bk.astype(jnp.float32) * log_probs_bk, axis=-1)


def in_top_k(logits_bk, labels_b, k: int):
    """Return for each example whether its label is among the k largest logits.

    Of equal logits the one with the lower class index counts as larger, as in a stable sort, so a
    constant prediction scores no better than guessing. A row holding a NaN is wrong. With fewer
    than k classes every finite row is right.
    """
    logits_bk = logits_bk.astype(jnp.float32)
    own_b1 = jnp.take_along_axis(logits_bk, labels_b[:, None], axis=-1)
    before_bk = jnp.arange(logits_bk.shape[-1])[None, :] < labels_b[:, None]
    ahead_bk = (logits_bk > own_b1) | ((logits_bk == own_b1) & before_bk)
    return (jnp.sum(ahead_bk, axis=-1) < k) & ~jnp.any(jnp.isnan(logits_bk), axis=-1)
