"""Training one network: losses, update rules, the step, engines, and the one loop around them."""

from scaling.training.interrupts import Interrupted
from scaling.training.loop import run

__all__ = ["Interrupted", "run"]
