"""How alike examples activate a network: sums over all activations, read off as a gradient."""

from __future__ import annotations

import jax
import jax.numpy as jnp


@jax.custom_vjp
def compare_codes(x, codes_nn):
    """Return x (n, ...) as it is; the gradient of `codes_nn` counts, for two examples, the values alike.

    Alike are two values that are both above 0, or both not. Gradients add up over all uses of an array, also
    over those in loops and branches, so zeros [n, n] that every activation is given have the kernel of
    arXiv 2006.04647 for a gradient.
    """
    del codes_nn
    return x


def _forward(x, codes_nn):
    return compare_codes(x, codes_nn), x


def _backward(x, gradient):
    on_nd = (x > 0).astype(jnp.float32).reshape(len(x), -1)
    both_nn, on_n = on_nd @ on_nd.T, on_nd.sum(-1)
    return gradient, 2 * both_nn - on_n[:, None] - on_n[None, :] + on_nd.shape[1]


compare_codes.defvjp(_forward, _backward)
