"""Streams of spoken digits in household noise, and which of their frames are voice.

`dir` holds digits.npz (recordings end to end as `audio`, with `offset` and `index`) and noise.npz, both at 8
kHz: the free spoken digit dataset and noises of Speech Commands. Recordings of an index below 5 are for the
split "test", of 5 and 6 for "validation", the rest for "train"; of the noise, the first half trains. An
example is a picture of frames by one column, its channels the powers of mel bands in half decibels, with a
mask: 1 for voice."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from scaling.border.fingerprint import of_arrays
from scaling.data.npz import read_arrays
from scaling.data.source import Source
from scaling.data.splits import ArraySplit, parse
from scaling.runs.pinning import confirm_data
from scaling.runs.spec import DataSpec

RATE, HOP, WINDOW, SECONDS, BANDS = 8000, 80, 256, 8, 40
NOISES = ("doing_the_dishes", "exercise_bike", "running_tap")
QUIET = 35.0  # decibels below the loudest frame, where a recording begins and ends
FLOOR = -100.0  # decibels of a 0
# split: (streams, seed, least and most signal-to-noise ratio in dB, whether noise of the first half)
SPLITS = {
    "train": (1200, 1, (-5.0, 20.0), True),
    "validation": (30, 2, (5.0, 5.0), True),
    "test": (60, 0, (5.0, 5.0), False),
}


def open_fsdd(data: DataSpec, side: int) -> Source:
    """Read the recordings. ValueError names a file or an array that is missing."""
    del side
    root = Path(data.dir).expanduser()
    if missing := [name for name in ("digits", "noise") if not (root / f"{name}.npz").is_file()]:
        raise ValueError(f"data.dir={data.dir!r} lacks {missing[0]}.npz: give the directory of both files.")
    confirm_data(data, lambda: of_arrays(root))
    audio, offset, index = read_arrays(root / "digits.npz", "", ("audio", "offset", "index"))
    clips = [audio[a:b] for a, b in itertools.pairwise(offset)]
    noises = read_arrays(root / "noise.npz", "", NOISES)

    def read(split: str) -> ArraySplit:
        name, part = parse(split, SPLITS)
        chosen = [clip for clip, i in zip(clips, index) if _split_of(int(i)) == name]
        whole = mixed(name, chosen, noises)
        return whole.take(np.arange(len(whole))[part(len(whole))])

    return Source("fsdd", ("background", "voice"), BANDS, lambda split: parse(split, SPLITS), read)


def _split_of(index: int) -> str:
    return "test" if index < 5 else "validation" if index < 7 else "train"


def mixed(name: str, clips: list[np.ndarray], noises: list[np.ndarray]) -> ArraySplit:
    """Mix the streams of a split, by its own seed."""
    count, seed, (low, high), first = SPLITS[name]
    rng, images, masks = np.random.default_rng(seed), [], []
    halves = [noise[: len(noise) // 2] if first else noise[len(noise) // 2 :] for noise in noises]
    for _ in range(count):
        audio, voice = stream(rng, clips, halves, lambda: rng.uniform(low, high) if low < high else low)
        images.append(bands(audio))
        masks.append(voice)
    labels = np.zeros(count, np.int32)
    return ArraySplit(np.stack(images)[:, :, None], labels, (), {"mask": np.stack(masks)[:, :, None]})


def stream(
    rng: np.random.Generator, clips: list[np.ndarray], noises: list[np.ndarray], ratio: Callable[[], float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return audio (samples,) with a peak of 1 and which frames are voice, uint8 (frames,)."""
    audio, voice = np.zeros(SECONDS * RATE), np.zeros(SECONDS * RATE // HOP, np.uint8)
    at = int(rng.integers(RATE // 5, RATE))
    while True:
        clip, at = trimmed(clips[rng.integers(len(clips))].astype(float)), at // HOP * HOP
        if at + len(clip) > len(audio):
            break
        audio[at : at + len(clip)] = clip / np.sqrt(np.mean(clip**2))
        voice[at // HOP : (at + len(clip)) // HOP] = 1
        at += len(clip) + int(rng.integers(RATE // 10, 3 * RATE // 2))
    noise = noises[rng.integers(len(noises))].astype(float)
    start = int(rng.integers(0, len(noise) - len(audio)))
    noise = noise[start : start + len(audio)]
    audio += noise / np.sqrt(np.mean(noise**2)) * 10 ** (-ratio() / 20)
    return audio / np.abs(audio).max(), voice


def trimmed(clip: np.ndarray) -> np.ndarray:
    """A recording from its first to its last frame that is not quiet."""
    clip = clip[: len(clip) // HOP * HOP]
    power = np.mean(clip.reshape(-1, HOP) ** 2, 1)
    loud = np.flatnonzero(power > power.max() * 10 ** (-QUIET / 10))
    return clip[loud[0] * HOP : (loud[-1] + 1) * HOP]


def bands(audio: np.ndarray) -> np.ndarray:
    """Powers of mel bands, uint8 (frames, BANDS) in half decibels; a window ends with its frame."""
    padded = np.concatenate([np.zeros(WINDOW - HOP), audio])
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(windows)) ** 2 @ mel_filters().T / WINDOW
    decibels = 10 * np.log10(np.maximum(power, 10 ** (FLOOR / 10)))
    return np.clip(np.round(2 * (decibels - FLOOR)), 0, 255).astype(np.uint8)


def mel_filters() -> np.ndarray:
    """Triangles over the frequencies of a window, (BANDS, WINDOW / 2 + 1), equally wide in mel."""
    mel = np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    at = np.arange(WINDOW // 2 + 1) * RATE / WINDOW
    rising = (at - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - at) / (edges[2:] - edges[1:-1])[:, None]
    found = np.maximum(np.minimum(rising, falling), 0)
    # The lowest bands are narrower than a step of frequency: each has at least the nearest one
    found[np.arange(BANDS), np.argmin(np.abs(at - edges[1:-1, None]), 1)] += 1e-3
    return found
