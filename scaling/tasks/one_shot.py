"""How well vectors tell classes that were never trained on, in NumPy: one-shot trials, and pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scaling.tasks.roc import area_under_roc

WAYS = 20  # classes of an episode that is drawn
DRAWN = 20  # episodes, where the data names none


def episodes(labels: np.ndarray, named: np.ndarray | None) -> Iterator[np.ndarray]:
    """Yield the rows of each episode: those that data names, else draws of two examples of several
    classes."""
    if named is not None:
        yield from (np.flatnonzero(named == one) for one in np.unique(named))
        return
    rng = np.random.default_rng(0)
    found, counts = np.unique(labels, return_counts=True)
    several = found[counts > 1]
    if len(several) < 2:
        return
    for _ in range(DRAWN):
        chosen = rng.permutation(several)[:WAYS]
        yield np.concatenate([rng.permutation(np.flatnonzero(labels == one))[:2] for one in chosen])


def trials(vectors_nd: np.ndarray, labels: np.ndarray, named: np.ndarray | None = None) -> np.ndarray:
    """Return (trials, right ones) of each episode, (episodes, 2).

    The first example of each class is known, and each other is taken for the class of the known one that it
    has the largest product with."""
    found = []
    for rows in episodes(labels, named):
        _, first = np.unique(labels[rows], return_index=True)
        known, asked = rows[first], np.delete(rows, first)
        taken = labels[known][np.argmax(vectors_nd[asked] @ vectors_nd[known].T, 1)]
        found.append((len(asked), np.sum(taken == labels[asked])))
    return np.array(found, float).reshape(-1, 2)


def verification(vectors_nd: np.ndarray, labels: np.ndarray) -> float:
    """The area under the ROC curve of "same class" by the product of a pair, over all pairs; 0.5 without
    any."""
    rows, columns = np.triu_indices(len(labels), 1)
    same = labels[rows] == labels[columns]
    return area_under_roc((vectors_nd @ vectors_nd.T)[rows, columns], same)
