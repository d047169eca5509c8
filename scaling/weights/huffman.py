"""Huffman codes of small symbols (0 to 255): canonical, so that the lengths of the codes say all of them."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

SYMBOLS = 256


def code_lengths(counts: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return uint8, the bits of each symbol's code; 0 for one that does not occur, 1 for one alone."""
    heap: list[tuple[int, int, tuple[int, ...]]] = [
        (int(count), i, (i,)) for i, count in enumerate(counts) if count
    ]
    lengths = np.zeros(len(counts), np.uint8)
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
    heapq.heapify(heap)
    while len(heap) > 1:
        (one, _, left), (two, order, right) = heapq.heappop(heap), heapq.heappop(heap)
        lengths[list(left + right)] += 1
        heapq.heappush(heap, (one + two, order, left + right))
    return lengths


def codes_of(lengths: np.ndarray) -> dict[int, str]:
    """Return each symbol's code as text of 0 and 1: shorter ones first, then by symbol."""
    codes, value, before = {}, 0, 0
    for symbol in sorted(np.flatnonzero(lengths), key=lambda i: (lengths[i], i)):
        value <<= int(lengths[symbol]) - before
        before = int(lengths[symbol])
        codes[int(symbol)] = format(value, f"0{before}b")
        value += 1
    return codes


def encode(symbols: np.ndarray) -> tuple[np.ndarray, bytes]:
    """Return the lengths of the codes, as many as there are symbols up to the largest, and the bits."""
    lengths = code_lengths(np.bincount(symbols, minlength=1))
    codes = codes_of(lengths)
    bits = "".join([codes[int(symbol)] for symbol in symbols])
    return lengths, np.packbits(np.frombuffer(bits.encode(), np.uint8) - ord("0")).tobytes()


def decode(lengths: np.ndarray, bits: bytes, count: int) -> np.ndarray:
    """Return uint8[count], the symbols; ValueError where the bits hold no such codes."""
    symbol_of = {code: symbol for symbol, code in codes_of(lengths).items()}
    longest, symbols, code = int(max(lengths, default=0)), [], ""
    text = (np.unpackbits(np.frombuffer(bits, np.uint8)) + ord("0")).tobytes().decode()
    for bit in text:
        if len(symbols) == count:
            break
        code += bit
        if (symbol := symbol_of.get(code)) is not None:
            symbols.append(symbol)
            code = ""
        elif len(code) > longest:
            raise ValueError("a stream of symbols is damaged: it holds a code that its table does not")
    if len(symbols) != count:
        raise ValueError(f"a stream of symbols is damaged: it holds {len(symbols)} of {count}")
    return np.array(symbols, np.uint8)
