"""How well vectors tell classes that were never trained on, in NumPy: one-shot trials, and pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scaling.tasks.roc import area_under_roc

WAYS = 20  # classes of an episode that is drawn
DRAWN = 20  # episodes, where the data names none
FOLDS = 10  # of classes, on all but one of which a threshold is chosen


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


def verified(vectors_nd: np.ndarray, labels: np.ndarray) -> float:
    """The share of pairs told "same class" or not rightly, by the threshold that is best on other classes.

    Classes are dealt to at most ten folds, each with as many pairs of one class as of two, as LFW's protocol
    has them (Huang et al. 2007); the mean over folds, 0.5 of fewer than four classes or none twice.
    """
    known = np.random.default_rng(0).permutation(np.unique(labels))
    folds = np.array_split(known, min(FOLDS, max(1, len(known) // 2)))
    told = [_balanced(vectors_nd, labels, np.flatnonzero(np.isin(labels, fold))) for fold in folds]
    told = [(scores, same) for scores, same in told if len(scores)]
    if len(told) < 2:
        return 0.5
    shares = []
    for i, (scores, same) in enumerate(told):
        others = told[:i] + told[i + 1 :]
        threshold = _best_threshold(*(np.concatenate(part) for part in zip(*others)))
        shares.append(np.mean((scores > threshold) == same))
    return float(np.mean(shares))


def _balanced(
    vectors_nd: np.ndarray, labels: np.ndarray, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The products of pairs of some examples, as many of one class as of two, and which are of one."""
    rows, columns = (chosen[places] for places in np.triu_indices(len(chosen), 1))
    same = labels[rows] == labels[columns]
    rng, both = np.random.default_rng(0), (np.flatnonzero(same), np.flatnonzero(~same))
    kept = np.concatenate([rng.permutation(places)[: min(map(len, both))] for places in both])
    return np.sum(vectors_nd[rows[kept]] * vectors_nd[columns[kept]], 1), same[kept]


def _best_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    """The score above which most pairs that are taken for one class are."""
    order = np.argsort(-scores, kind="stable")
    gained = np.cumsum(np.where(same[order], 1, -1))
    last = int(np.argmax(gained))
    after = scores[order][min(last + 1, len(order) - 1)]
    return float((scores[order][last] + after) / 2) if gained[last] > 0 else np.inf
