"""The sections of a song: where what follows is like itself and unlike what was before (Foote 2000)."""

from __future__ import annotations

import numpy as np
import torch

from dreamer.videos.sound.spectrum import STEP, Floats

_PER_STEP = 50  # values of the spectrum in one of the self-similarity: half a second
_REACH = 16  # of these values before a moment are compared with as many after it
_SHORTEST = 6.0  # seconds from section to section
_CLEAR = 0.12  # smallest novelty of a new section, as a share of the whole range


def novelty_of(mel: Floats) -> Floats:
    """The novelty of the sound at each time, (n,) in 0..1, from amplitudes in bands (n, bands)."""
    levels = np.log1p(1000 * mel)
    count = len(levels) // _PER_STEP
    if count < 4:
        return np.zeros(len(levels))
    means = levels[: count * _PER_STEP].reshape(count, _PER_STEP, -1).mean(1)
    means = means - means.mean(0)
    kinds = torch.from_numpy(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-3 * means.shape[1]))
    padded = torch.cat([kinds[:1].expand(_REACH, -1), kinds, kinds[-1:].expand(_REACH, -1)])
    windows = padded.unfold(0, 2 * _REACH, 1)[:count]  # (count, bands, 2 reach): around the beginning of each
    alike = windows.transpose(1, 2) @ windows
    beside = torch.arange(2 * _REACH, dtype=torch.float64) - _REACH + 0.5
    taper = torch.exp(-0.5 * (beside / (_REACH / 2)) ** 2)
    board = torch.outer(taper * beside.sign(), taper * beside.sign())
    found = (alike * board).sum((1, 2)).div_(board.abs().sum()).clamp_(0, 1).numpy()
    times = np.arange(len(levels)) / _PER_STEP
    novelty: Floats = np.interp(times, np.arange(count), found)
    return novelty


def sections_of(novelty: Floats, beats: Floats) -> Floats:
    """The times in seconds at which sections begin, (m,), the first at 0; on a beat where one is near."""
    found = [0.0]
    end = (len(novelty) - 1) * STEP
    reach = round(_SHORTEST / STEP / 2)
    least = max(_CLEAR, float(novelty.mean() + novelty.std())) if len(novelty) else 1.0
    for place in np.flatnonzero(novelty >= least):
        around = novelty[max(0, place - reach) : place + reach + 1]
        time = float(place * STEP)
        is_peak = novelty[place] >= around.max() and (not place or novelty[place] > novelty[place - 1])
        if is_peak and time - found[-1] >= _SHORTEST and end - time >= _SHORTEST / 2:
            nearest = float(beats[np.abs(beats - time).argmin()]) if len(beats) else time
            found.append(nearest if abs(nearest - time) <= 0.6 else time)
    return np.array(found)
