"""The onsets and the beats of a song.

Onsets are where the spectrum grows (spectral flux). The tempo is the period at which they repeat, by autocorrelation
with a log-normal prior about 120 beats a minute, for the song and again for each of its moments (a tempogram). Beats
are then found by dynamic programming: as many onsets as possible, at distances near the tempo's (Ellis 2007).
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from dreamer.videos.sound.spectrum import STEP, Floats

_AUDIBLE = 100.0  # amplitudes are counted in the logarithm of 1 + so many times themselves
_CLEAR = 0.3  # mean growth over the bands that is a clear onset
_BASS, _CARRIED = 4, 0.4  # the bands below some 300 Hz, and their weight for the beat
_EARLY = 0.001  # seconds by which a window grows louder before a sound has come to its middle
_SLOWEST, _FASTEST = 2.0, 0.25  # seconds from beat to beat
_USUAL, _SPREAD = 0.5, 0.9  # seconds, and octaves: the prior's middle and width
_WINDOW, _EVERY = 8.0, 1.0  # seconds: of the tempogram
_TIGHT = 100.0  # weight of regular beats against strong ones
_REPEATED = 0.1  # smallest share of the sound that repeats at the tempo, or there is no beat
_DRIFT = 1.2  # largest factor between a moment's tempo and the song's
_LEAST = 0.05  # in units of a clear onset: a song that is weaker everywhere is noise


def onsets_of(mel: Floats) -> tuple[Floats, Floats]:
    """The strength of onsets at each time, (n,), from amplitudes in bands (n, bands); 1 and more is a clear one.

    Besides, the same with more weight on the bass, which carries the beat: a hi-hat between two beats is broader.
    """
    levels = np.log1p(_AUDIBLE * mel)
    growth = np.diff(levels, axis=0, prepend=levels[:1]).clip(0)
    all_alike, bass = growth.mean(1), growth[:, :_BASS].mean(1)
    return _above(all_alike), _above(all_alike + _CARRIED * bass)


def beats_of(onsets: Floats) -> Floats:
    """The times of the beats in seconds, (k,); none where nothing repeats."""
    if len(onsets) < 2 * _SLOWEST / STEP or onsets.max() < _LEAST:
        return np.zeros(0)
    strength = onsets / onsets.std()
    periods = _periods(_mean(strength, 3))
    if not len(periods):
        return np.zeros(0)
    best, before = _scores(strength, periods)
    beats = [_last(best)]
    while before[beats[-1]] >= 0:
        beats.append(int(before[beats[-1]]))
    strong = _kept(strength, np.array(beats[::-1]))
    found: Floats = np.array([_refined(strength, beat) for beat in strong]) * STEP + _EARLY
    return found


def phase_of(beats: Floats, count: int) -> Floats:
    """The phase between beats at `count` times: 0 on a beat, near 1 before the next; 1 without any."""
    phase = np.ones(count)
    times = np.arange(count) * STEP
    for beat, following in pairwise(beats):
        within = slice(*np.searchsorted(times, (beat, following)))
        phase[within] = (times[within] - beat) / (following - beat)
    if len(beats) > 1:  # the last one is as long as the one before
        within = slice(*np.searchsorted(times, (beats[-1], 2 * beats[-1] - beats[-2])))
        phase[within] = (times[within] - beats[-1]) / (beats[-1] - beats[-2])
    return phase


def _periods(strength: Floats) -> Floats:
    """The beat's period at each time in steps, (n,); none where nothing repeats.

    Of a period, the double supports it, as bars do: so it is the shorter one of two that fit.
    """
    fastest, slowest = round(_FASTEST / STEP), round(_SLOWEST / STEP)
    lags = np.arange(fastest, slowest + 1)
    prior = np.exp(-0.5 * (np.log2(lags * STEP / _USUAL) / _SPREAD) ** 2)
    length, every = min(round(_WINDOW / STEP), len(strength)), round(_EVERY / STEP)
    begins = range(0, len(strength) - length + 1, every)
    repeated = np.stack([_repetition(strength[begin : begin + length]) for begin in begins])
    tempogram = repeated[:, lags] + 0.5 * repeated[:, 2 * lags]
    usual = lags[int(np.argmax(tempogram.sum(0) * prior))]
    if repeated[:, usual].sum() < _REPEATED * repeated[:, 0].sum():
        return np.zeros(0)
    near = np.abs(np.log2(lags / usual)) <= math.log2(_DRIFT)
    moments = np.stack([_mean(column, 5) for column in tempogram.T], 1)[:, near]
    found = lags[near][np.argmax(moments, 1)].astype(float)
    periods: Floats = np.interp(np.arange(len(strength)), np.array(begins) + length / 2, found)
    return periods


def _repetition(strength: Floats) -> Floats:
    """The autocorrelation of (n,) at lags 0 to n - 1, at least 0."""
    values = strength - strength.mean()
    spectrum = np.abs(np.fft.rfft(values, 2 * len(values))) ** 2
    found: Floats = np.fft.irfft(spectrum)[: len(values)].clip(0)
    padded: Floats = np.pad(found, (0, max(0, 2 * round(_SLOWEST / STEP) + 1 - len(found))))
    return padded


def _scores(strength: Floats, periods: Floats) -> tuple[Floats, Floats]:
    """For each time the score of the best row of beats that ends there, and the beat before it, -1 for none."""
    score = strength.copy()
    before = np.full(len(strength), -1)
    tables: dict[int, tuple[Floats, Floats]] = {}
    for now in range(len(strength)):
        period = round(periods[now])
        if period not in tables:
            back = np.arange(-2 * period, -period // 2 + 1)
            tables[period] = back, -_TIGHT * np.log(-back / period) ** 2
        back, price = tables[period]
        begin = max(0, -(now + int(back[0])))
        if begin >= len(back):
            continue
        chances = score[now + back[begin:]] + price[begin:]
        best = int(np.argmax(chances))
        if chances[best] > 0:
            score[now] += chances[best]
            before[now] = now + back[begin + best]
    return score, before


def _last(score: Floats) -> int:
    """The index of the last beat: the last peak of the scores that is not low."""
    peaks = 1 + np.flatnonzero((score[1:-1] > score[:-2]) & (score[1:-1] >= score[2:]))
    if not len(peaks):
        return int(np.argmax(score))
    return int(peaks[score[peaks] > 0.5 * np.median(score[peaks])][-1])


def _kept(strength: Floats, beats: Floats) -> Floats:
    """The beats without those before the first and after the last one at which something is heard."""
    heard = np.array([strength[max(0, beat - 3) : beat + 4].max() for beat in beats])
    loud = np.flatnonzero(heard > 0.5 * np.sqrt(np.mean(heard**2)))
    return beats[loud[0] : loud[-1] + 1] if len(loud) else beats[:0]


def _refined(strength: Floats, beat: int) -> float:
    """The place of a peak between the values, by a parabola through the highest one near and its neighbours."""
    begin = max(1, beat - 1)
    top = begin + int(np.argmax(strength[begin : beat + 2]))
    if not 0 < top < len(strength) - 1:
        return float(beat)
    left, middle, right = strength[top - 1 : top + 2]
    curved = left - 2 * middle + right
    return top + (0.5 * (left - right) / curved if curved < 0 and middle >= max(left, right) else 0.0)


def _above(growth: Floats) -> Floats:
    """Growth (n,) above that of the half second around, in units of a clear onset."""
    found: Floats = (growth - _mean(growth, round(0.5 / STEP))).clip(0) / _CLEAR
    return found


def _mean(values: Floats, width: int) -> Floats:
    """The mean of the `width` values around each of (n,), fewer at the ends."""
    ones = np.ones(width)
    if len(values) < width:
        return np.full(len(values), values.mean())
    found: Floats = np.convolve(values, ones, "same") / np.convolve(np.ones(len(values)), ones, "same")
    return found
