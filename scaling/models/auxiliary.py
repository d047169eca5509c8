"""Classifiers within a network, which only its training runs (arXiv 1409.4842 section 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from scaling.arch.head import Auxiliary
from scaling.models.head import Classifier, average_to
from scaling.models.inception import FilterModule
from scaling.models.layers import Settings, dropout

AUXILIARY = "auxiliary"  # make it mutable, and a training pass leaves logits and weights of losses there


class AuxiliaryModule(nn.Module):
    """Pooling, a 1x1 convolution, hidden layers over the whole map, a classifier; it sows its logits."""

    value: Auxiliary
    num_classes: int
    settings: Settings

    @nn.compact
    def __call__(self, x_nhwc, train: bool, keys_b=None):
        value, settings = self.value, self.settings
        x: Any = settings.activate(x_nhwc) if value.act else x_nhwc
        x = average_to(average_to(x, 1, value.grid), 2, value.grid)
        x = FilterModule((1, 1), value.width, 1, settings, value.norm, name="conv")(x, train)
        for i, width in enumerate(value.hidden):
            side = 1 if i else value.grid
            form = (side, side), width, 1, settings, value.norm_hidden, 0
            x = FilterModule(*form, name=f"hidden_{i}")(x, train)
        features = dropout(jnp.mean(x, (1, 2), dtype=jnp.float32), value.drop_rate, keys_b)
        logits_bk = Classifier(self.num_classes, name="classifier")(features)
        if not self.is_initializing():
            self.sow(AUXILIARY, "logits", logits_bk, lambda _, new: new, lambda: None)
            self.sow(AUXILIARY, "weight", jnp.float32(value.weight), lambda _, new: new, lambda: None)


def auxiliary_loss(updates: Mapping[str, Any], loss: Callable[[Any], Any]) -> Any:
    """Sum weight * loss(logits_bk) over the auxiliary classifiers of a training pass; 0 without any.

    `updates` are the mutated variables that the pass returned.
    """
    return sum(head["weight"] * loss(head["logits"]) for head in updates.get(AUXILIARY, {}).values())
