"""Losses of classes, and top-k accuracy, in float32 whatever the network computes in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

MARGIN = 30.0  # the j of `posterior` that no config names; the paper prints none


def cross_entropy(logits_bk, targets_bk):
    """Return the softmax cross-entropy of each example, in nats; targets are distributions."""
    # optax keeps the type that it is given
    return optax.losses.softmax_cross_entropy(logits_bk.astype(jnp.float32), targets_bk.astype(jnp.float32))


def distance(logits_bk, targets_bk):
    """Return each example's squared distance to its class's code: logits are distances, with a minus.

    Source: LeCun et al., Proceedings of the IEEE 86, 1998, equation 8.
    """
    return -jnp.sum(logits_bk.astype(jnp.float32) * targets_bk.astype(jnp.float32), -1)


def posterior(logits_bk, targets_bk, margin: float):
    """Return `distance`, and what other codes add by being near, beside a class of rubbish at `margin`.

    Source: LeCun et al. 1998, equation 9, whose j is the margin: maximum a posteriori.
    """
    rubbish_b1 = jnp.full((*logits_bk.shape[:-1], 1), -margin, jnp.float32)
    near_b = jax.nn.logsumexp(jnp.concatenate([logits_bk.astype(jnp.float32), rubbish_b1], -1), -1)
    return distance(logits_bk, targets_bk) + near_b


def class_loss(name: str, margin: float | None) -> Callable[[Any, Any], Any]:
    """Return (logits_bk, targets_bk) -> loss_b, by a config's `train.class_loss` and `train.margin`."""
    if name == "map":
        return lambda logits_bk, targets_bk: posterior(
            logits_bk, targets_bk, MARGIN if margin is None else margin
        )
    return {"cross_entropy": cross_entropy, "distance": distance}[name]


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
