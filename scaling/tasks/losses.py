"""Cross-entropy and top-k accuracy, in float32 whatever the network computes in."""

from __future__ import annotations

import jax.numpy as jnp
import optax


def cross_entropy(logits_bk, targets_bk):
    """Return the softmax cross-entropy of each example, in nats; targets are distributions."""
    # optax keeps the type that it is given
    return optax.losses.softmax_cross_entropy(logits_bk.astype(jnp.float32), targets_bk.astype(jnp.float32))


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
