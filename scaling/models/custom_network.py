"""A user's own Linen module, called as our `Network` is: same arguments, same collections, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from scaling.arch.custom import Custom

COLLECTIONS = {"params", "batch_stats"}


@dataclass(frozen=True)
class CustomNetwork:
    """The network of a `Custom`: (n, h, w, c) images -> (n, num_classes) float32 logits.

    The variables are the module's own, so `module.apply` reads them too. In training the keys of the
    examples become one rng named "dropout", that of the first: what is dropped depends on how a batch is cut
    over devices.
    """

    arch: Custom
    module: nn.Module

    @staticmethod
    def of(
        arch: Custom, dtype: Any = jnp.float32, axis_name: str | None = None, **options: Any
    ) -> CustomNetwork:
        """Build the module; ValueError for an option that reaches neither it nor its function."""
        options.pop("operators", None)  # of our operators, which it does not use
        if set_ := sorted(name for name, value in options.items() if value not in (None, False, ())):
            raise ValueError(
                f"{arch.family} is a network of your own, which {set_[0]}={options[set_[0]]!r} cannot reach: leave it "
                "unset, and use nn.scan, nn.remat or jax.lax.stop_gradient in your module."
            )
        told = None if jnp.dtype(dtype) == jnp.float32 and not arch.takes("dtype") else jnp.dtype(dtype)
        return CustomNetwork(arch, arch.module(dtype=told, axis_name=axis_name))

    def init(self, rngs: Any, images_nhwc: Any, train: bool = False) -> dict[str, Any]:
        """Return {"params", "batch_stats"}; ValueError where the module holds anything else."""
        return self._checked(self.module.init(rngs, images_nhwc, train=train))

    def initialize(self, seed: int) -> dict[str, Any]:
        """Return the variables as the module's own initialisers draw them, without running it."""
        arch = self.arch
        images = jax.ShapeDtypeStruct((1, arch.resolution, arch.resolution, arch.in_channels), jnp.float32)
        variables = self.module.lazy_init({"params": jax.random.key(seed)}, images, train=False)
        return jax.tree.map(np.asarray, self._checked(variables))

    def apply(
        self, variables: Any, images_nhwc: Any, train: bool = False, keys_b: Any = None, mutable: Any = False
    ) -> Any:
        """Return the logits, and with `mutable` collections their updates; ValueError for another shape."""
        rngs = {} if keys_b is None else {"dropout": keys_b[0]}
        made: Any = self.module.apply(variables, images_nhwc, train=train, rngs=rngs, mutable=mutable)
        logits_bk, updates = made if mutable else (made, None)
        wanted, shape = (len(images_nhwc), self.arch.num_classes), getattr(logits_bk, "shape", None)
        if shape != wanted:
            raise ValueError(
                f"{self.arch.family} returned {type(logits_bk).__name__ if shape is None else shape} for "
                f"{wanted[0]} images of {wanted[1]} classes: it must return logits of shape {wanted}, so give the "
                "function a parameter num_classes."
            )
        logits_bk = logits_bk.astype(jnp.float32)
        return (logits_bk, updates) if mutable else logits_bk

    def _checked(self, variables: Any) -> dict[str, Any]:
        found = dict(variables)
        if unknown := sorted(found.keys() - COLLECTIONS):
            raise ValueError(
                f"{self.arch.family} holds variables in {unknown[0]!r}, but training carries only "
                "params and batch_stats: keep its state in one of them."
            )
        if kinds := sorted({str(leaf.dtype) for leaf in jax.tree.leaves(found)} - {"float32"}):
            raise ValueError(
                f"{self.arch.family} holds {kinds[0]} variables: parameters and statistics must be float32 (what is "
                "computed with them need not be)."
            )
        return found
