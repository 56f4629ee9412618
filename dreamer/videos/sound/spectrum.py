"""A song's spectrum in few numbers: how loud it is in bands of hearing, a hundred times a second."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]

RATE = 48_000  # samples a second
HOP = 480  # samples from one value to the next
STEP = HOP / RATE  # seconds
_WINDOW = 1024  # samples: 21 ms, short enough for beats, and long enough to tell bass
_AT_ONCE = 30 * RATE  # samples
_BANDS = 40  # on the mel scale
_HEARD = (30.0, 16_000.0)  # Hz: the lowest and the highest of them
RANGES = {"bass": (20.0, 160.0), "middle": (160.0, 2_500.0), "treble": (2_500.0, 16_000.0)}
"""Frequency ranges of the curves in Hz."""


@dataclass(frozen=True)
class Spectrum:
    """Amplitudes at n times, `STEP` seconds apart; a sine at full scale has 1.

    `mel` is (n, 40); `loudness`, weighted as the ear does, `bass`, `middle`, `treble` and the highest sample `peak`
    are (n,).
    """

    mel: Floats
    loudness: Floats
    bass: Floats
    middle: Floats
    treble: Floats
    peak: Floats


def spectrum_of(parts: Iterable[Tensor]) -> Spectrum:
    """The spectrum of a song whose samples at 48 kHz come in parts (n,), in [-1, 1]; memory for a part is enough."""
    window = torch.hann_window(_WINDOW)
    unit = 2 / float(window.sum())
    weights = _weights()
    powers, peaks = [], []
    for samples in _overlapping(parts):
        found = torch.stft(samples, _WINDOW, HOP, window=window, center=False, return_complex=True)
        powers.append((found.abs().mul_(unit).square_().T @ weights).double().numpy())
        inner = samples[(_WINDOW - HOP) // 2 :][: len(powers[-1]) * HOP]
        peaks.append(inner.view(-1, HOP).abs().amax(1).double().numpy())
    amplitudes = np.sqrt(np.concatenate(powers))
    loudness, bass, middle, treble = amplitudes[:, :4].T
    return Spectrum(amplitudes[:, 4:], loudness, bass, middle, treble, np.concatenate(peaks))


def _overlapping(parts: Iterable[Tensor]) -> Iterator[Tensor]:
    """The samples in pieces whose windows follow one another, the first and the last one centred on the song's ends."""
    margin = torch.zeros(_WINDOW // 2)
    waiting = [margin]
    for part in parts:
        waiting.append(part)
        if sum(map(len, waiting)) >= _AT_ONCE:
            piece = torch.cat(waiting)
            windows = (len(piece) - _WINDOW) // HOP + 1
            yield piece[: _WINDOW + (windows - 1) * HOP]
            waiting = [piece[windows * HOP :]]
    yield torch.cat([*waiting, margin])


def _weights() -> Tensor:
    """From powers at the window's frequencies to those of loudness, three ranges and the mel bands: (513, 44)."""
    hertz = np.fft.rfftfreq(_WINDOW, 1 / RATE)
    ranges = [(hertz >= begin) & (hertz < end) for begin, end in RANGES.values()]
    low, high = _mel(np.array(_HEARD))
    edges = _hertz(np.linspace(low, high, _BANDS + 2))
    below, at, above = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    mel = np.clip(np.minimum((hertz - below) / (at - below), (above - hertz) / (above - at)), 0, None)
    nearest = np.abs(hertz - at).argmin(1)  # bands that are narrower than the distance of two frequencies
    mel[np.arange(_BANDS), nearest] = np.maximum(mel[np.arange(_BANDS), nearest], 0.5)
    return torch.from_numpy(np.stack([_ear(hertz), *ranges, *mel], 1)).float()


def _ear(hertz: NDArray[Any]) -> Floats:
    """The A-weighting of IEC 61672 for powers; 1 at 1000 Hz."""
    square = hertz**2
    gain = 12194**2 * square**2
    gain /= (square + 20.6**2) * np.sqrt((square + 107.7**2) * (square + 737.9**2)) * (square + 12194**2)
    weights: Floats = (gain * 1.2589) ** 2
    return weights


def _mel(hertz: Floats) -> Floats:
    found: Floats = 2595 * np.log10(1 + hertz / 700)
    return found


def _hertz(mel: Floats) -> Floats:
    found: Floats = 700 * (10 ** (mel / 2595) - 1)
    return found
