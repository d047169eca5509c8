"""How samples compare with data, in NumPy: what they cover of it, and how unlike each other they are."""

from __future__ import annotations

import numpy as np

COMPARED = 1000  # examples of a split: all pairs of them are looked at
NEIGHBOURS = 5  # of an example, whose furthest is as far as its neighbourhood goes


def compare(data_nd: np.ndarray, made_nd: np.ndarray) -> dict[str, float]:
    """Return "coverage" and "density" of arrays (n, ...), the first `COMPARED` of each, and "diversity".

    Coverage is the share of the data with a sample in its neighbourhood, density how many neighbourhoods a
    sample lies in, of those that one of the data does (arXiv 2002.09797 section 3). Diversity is the mean
    distance of two samples over that of two of the data. Each is 0 of fewer than two examples.
    """
    data_nd, made_nd = (_rows(x) for x in (data_nd, made_nd))
    if len(data_nd) < 2:
        return {"coverage": 0.0, "density": 0.0, "diversity": 0.0}
    near = min(NEIGHBOURS, len(data_nd) - 1)
    own_nn, between_nm = _distances(data_nd, data_nd), _distances(data_nd, made_nd)
    reach_n1 = np.sort(own_nn, 1)[:, near, None]  # the first is the example itself
    inside_nm = between_nm < reach_n1
    spread = own_nn.sum()
    return {
        "coverage": float(np.mean(inside_nm.any(1))),
        "density": float(inside_nm.sum() / (near * inside_nm.shape[1])),
        "diversity": float(_distances(made_nd, made_nd).sum() / spread) if spread else 0.0,
    }


def inception_score(shares_nk: np.ndarray) -> float:
    """Return exp of the mean divergence of a classifier's answers from their mean (arXiv 1606.03498, 4)."""
    shares_nk = np.maximum(shares_nk.astype(float), 1e-12)
    mean_k = shares_nk.mean(0)
    return float(np.exp(np.mean(np.sum(shares_nk * np.log(shares_nk / mean_k), 1))))


def _rows(x: np.ndarray) -> np.ndarray:
    return x[:COMPARED].reshape(min(len(x), COMPARED), -1).astype(float)


def _distances(one_nd: np.ndarray, other_md: np.ndarray) -> np.ndarray:
    square = lambda x: np.square(x).sum(1)
    return np.sqrt(np.maximum(square(one_nd)[:, None] + square(other_md) - 2 * one_nd @ other_md.T, 0))
