"""Deep Compression (arXiv 1510.00149): kernels as gaps between weights and codes of shared values.

A kernel is one array of bytes: its head, the shared values, the lengths of both Huffman codes, both
streams. A gap symbol of 255 stands for as many zeros and no weight. Other arrays stay float32.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from scaling.weights import huffman

MOST_BITS = 8
LONGEST = huffman.SYMBOLS - 1  # a gap of that many zeros
HEAD = struct.Struct(
    "<IIIHHHB"
)  # symbols, weights, bytes of the gaps; shared values; code lengths; dimensions
ROUNDS = 50  # of k-means at most


class Quantised(NamedTuple):
    """A kernel whose weights share values: `codes` index `values` where it is not 0."""

    shape: tuple[int, ...]
    places: np.ndarray
    codes: np.ndarray
    values: np.ndarray

    def kernel(self) -> np.ndarray:
        """Return float32 of the shape."""
        flat = np.zeros(math.prod(self.shape), np.float32)
        flat[self.places] = self.values[self.codes]
        return flat.reshape(self.shape)


def quantise(kernel: np.ndarray, bits: int) -> Quantised:
    """Give the weights that are not 0 at most 2**bits values: k-means from evenly spread centres.

    The k-means of one dimension: centres between borders, each the mean of what lies there.
    """
    if not 1 <= bits <= MOST_BITS:
        raise ValueError(f"bits={bits} must be from 1 to {MOST_BITS}: a code fits into a byte.")
    flat = np.asarray(kernel, np.float32).ravel()
    places = np.flatnonzero(flat)
    weights = flat[places].astype(np.float64)
    if not weights.size:
        return Quantised(kernel.shape, places, np.zeros(0, np.uint8), np.zeros(0, np.float32))
    centres = np.linspace(weights.min(), weights.max(), min(2**bits, weights.size))
    for _ in range(ROUNDS):
        codes = _nearest(weights, centres)
        counts = np.bincount(codes, minlength=len(centres))
        sums = np.bincount(codes, weights, len(centres))
        moved = np.sort(np.where(counts > 0, sums / np.maximum(counts, 1), centres))
        if np.array_equal(moved, centres):
            break
        centres = moved
    used, codes = np.unique(_nearest(weights, centres), return_inverse=True)
    return Quantised(kernel.shape, places, codes.astype(np.uint8), centres[used].astype(np.float32))


def _nearest(weights: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return np.searchsorted((centres[1:] + centres[:-1]) / 2, weights)


def to_bytes(found: Quantised) -> np.ndarray:
    """Return uint8, all of a quantised kernel."""
    zeros = np.diff(found.places, prepend=-1) - 1
    full = zeros // LONGEST
    after = math.prod(found.shape) - (found.places[-1] + 1 if len(found.places) else 0)
    gaps = np.full((full + 1).sum() + after // LONGEST, LONGEST)
    gaps[np.cumsum(full + 1) - 1] = zeros % LONGEST
    (gap_lengths, gap_bits), (lengths, bits) = huffman.encode(gaps), huffman.encode(found.codes)
    sizes = len(found.values), len(gap_lengths), len(lengths)
    head = HEAD.pack(len(gaps), len(found.codes), len(gap_bits), *sizes, len(found.shape))
    shape = np.array(found.shape, "<u4").tobytes()
    told = gap_lengths.tobytes() + lengths.tobytes()
    whole = head + shape + found.values.astype("<f4").tobytes() + told + gap_bits + bits
    return np.frombuffer(whole, np.uint8)


def from_bytes(data: np.ndarray) -> Quantised:
    """Read what `to_bytes` wrote; ValueError where it is damaged."""
    whole = np.asarray(data, np.uint8).tobytes()
    shape = _stated_shape(whole)
    at = HEAD.size + 4 * len(shape)

    def take(count: int, kind: str) -> np.ndarray:
        nonlocal at
        size = count * np.dtype(kind).itemsize
        if at + size > len(whole):
            raise ValueError("a compressed kernel is damaged: it ends early")
        at += size
        return np.frombuffer(whole[at - size : at], kind)

    symbols, weights, gap_bytes, shared, gap_codes, codes, _ = HEAD.unpack_from(whole)
    values, gap_lengths, lengths = take(shared, "<f4"), take(gap_codes, "u1"), take(codes, "u1")
    gaps = huffman.decode(gap_lengths, take(gap_bytes, "u1").tobytes(), symbols)
    read = huffman.decode(lengths, whole[at:], weights)
    ends = np.cumsum(np.where(gaps == LONGEST, LONGEST, gaps.astype(np.int64) + 1)) - 1
    places = ends[gaps != LONGEST]
    after = math.prod(shape) - (int(ends[-1]) + 1 if symbols else 0)  # what no symbol tells of
    if len(places) != weights or not 0 <= after < LONGEST or np.any(read >= max(shared, 1)):
        raise ValueError("a compressed kernel is damaged: its places and values do not fit its shape")
    return Quantised(shape, places, read, values)


def _stated_shape(whole: bytes) -> tuple[int, ...]:
    """The shape that a kernel's head states; ValueError where it is cut off."""
    if len(whole) < HEAD.size:
        raise ValueError("a compressed kernel is damaged: it has no head")
    *_, dimensions = HEAD.unpack_from(whole)
    if len(whole) < HEAD.size + 4 * dimensions:
        raise ValueError("a compressed kernel is damaged: it ends early")
    return tuple(np.frombuffer(whole, "<u4", dimensions, HEAD.size).tolist())


def compressed(tensors: Mapping[str, Any], bits: int) -> dict[str, np.ndarray]:
    """Return the arrays of a network by name, every kernel as bytes."""
    return {
        name: to_bytes(quantise(np.asarray(tensor), bits)) if is_kernel(name) else np.asarray(tensor)
        for name, tensor in tensors.items()
    }


def expanded(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of a network of which `compressed` made these; ValueError for damaged ones."""
    return {
        name: from_bytes(tensor).kernel() if is_kernel(name) else tensor for name, tensor in tensors.items()
    }


def stated_shapes(tensors: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what `expanded` returns, nothing expanded: few bytes may state large arrays."""
    return {
        name: _stated_shape(np.asarray(tensor, np.uint8).tobytes()) if is_kernel(name) else np.shape(tensor)
        for name, tensor in tensors.items()
    }


def is_kernel(name: str) -> bool:
    """Whether an array of our names holds weights."""
    return os.path.basename(name) == "kernel"
