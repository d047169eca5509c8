"""An output layer of radial basis functions: how far the features lie from the code of each class.

The codes of ten digits by 84 features are stylised bitmaps of 12 rows of 7 pixels, +1 where one is set, -1
elsewhere; they are drawn here, since the paper shows its own in Figure 3 only. Others are signs drawn once.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from scaling.models.initializers import ZEROS, parameter

ROWS, COLUMNS = 12, 7
DIGITS = """
..###.. ...##.. .#####. .#####. ....##. ####### ..####. ####### .#####. .#####.
.##.##. ..###.. ##...## ##...## ...###. ##..... .##.... ##...## ##...## ##...##
##...## .####.. .....## .....## ..####. ##..... ##..... .....## ##...## ##...##
##...## ...##.. .....## .....## .##.##. ##..... ##..... ....##. ##...## ##...##
##...## ...##.. ....##. ..####. ##..##. ######. ######. ....##. .#####. ##...##
##...## ...##.. ...##.. .....## ##..##. .....## ##...## ...##.. ##...## .######
##...## ...##.. ..##... .....## ####### .....## ##...## ...##.. ##...## .....##
##...## ...##.. .##.... .....## ....##. .....## ##...## ..##... ##...## .....##
##...## ...##.. ##..... .....## ....##. .....## ##...## ..##... ##...## .....##
.##.##. ...##.. ##..... ##...## ....##. ##...## ##...## ..##... ##...## ....##.
..###.. .###### ####### .#####. ....##. .#####. .#####. ..##... .#####. .####..
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
"""


def codes(classes: int, units: int) -> np.ndarray:
    """Return the code of each class, float32 (classes, units) of +1 and -1."""
    if (classes, units) == (10, ROWS * COLUMNS):
        rows = [line.split() for line in DIGITS.split("\n") if line]
        pixels = np.array([[list(digit) for digit in row] for row in rows])  # row, digit, column
        return np.where(pixels.transpose(1, 0, 2).reshape(classes, units) == "#", 1, -1).astype(np.float32)
    return np.random.default_rng(0).choice(np.array([-1, 1], np.float32), (classes, units))


class Codes(nn.Module):
    """Minus the squared distance to each code, (n, units) -> (n, classes) float32; `learned` ones move.

    Source: LeCun et al. 1998, equation 7.
    """

    classes: int
    learned: bool

    @nn.compact
    def __call__(self, features_bu):
        code_ku = jnp.asarray(codes(self.classes, features_bu.shape[-1]))
        if self.learned:
            code_ku = code_ku + parameter(self, "moved", code_ku.shape, ZEROS)
        square = lambda x: jnp.sum(jnp.square(x), -1)
        return 2 * features_bu @ code_ku.T - square(features_bu)[:, None] - square(code_ku)
