"""How layers are normalised, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Norm:
    """Normalisation: `eps`, and `momentum` as the decay of batch norm's running statistics."""

    eps: float = 1e-5
    momentum: float = 0.9
