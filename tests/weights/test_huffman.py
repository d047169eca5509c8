"""Huffman codes decode to what they coded, and are as short as prefix codes can be."""

import itertools

import numpy as np
import pytest

from scaling.weights.huffman import code_lengths, codes_of, decode, encode


@pytest.mark.parametrize("count, symbols", [(0, 1), (1, 1), (9, 1), (50, 2), (400, 256), (3000, 40)])
def test_what_was_coded_is_decoded(count, symbols):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        told = np.minimum(rng.geometric(0.2, count) + rng.integers(0, 2), symbols) - 1
        lengths, bits = encode(told)
        np.testing.assert_array_equal(decode(lengths, bits, count), told)


def test_no_code_begins_another_and_all_room_is_used():
    counts = np.random.default_rng(0).integers(1, 1000, 60)
    codes = sorted(codes_of(code_lengths(counts)).values())
    assert not any(after.startswith(code) for code, after in itertools.pairwise(codes))
    assert sum(2.0 ** -len(code) for code in codes) == 1.0


def test_the_mean_length_is_within_a_bit_of_the_entropy():
    counts = np.random.default_rng(0).geometric(0.01, 100)
    shares = counts / counts.sum()
    mean, entropy = float(shares @ code_lengths(counts)), float(-shares @ np.log2(shares))
    assert entropy <= mean < entropy + 1


def test_damaged_streams_are_told():
    lengths, bits = encode(np.arange(20) % 7)
    with pytest.raises(ValueError, match="damaged"):
        decode(lengths, bits[:2], 20)
    with pytest.raises(ValueError, match="damaged"):
        decode(np.array([2, 2], np.uint8), b"\xff\xff", 4)
