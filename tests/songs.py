"""Recordings by formula: clicks, drums and tones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE = 44_100


def recorded(path: Path, wave: NDArray[np.float64], codec: str = "pcm_s16le") -> Path:
    """A file of sound with these samples in [-1, 1], mono."""
    with av.open(f"file:{path}", "w") as container:
        stream: Any = container.add_stream(codec, rate=RATE)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray((wave * 32767).clip(-32768, 32767).astype(np.int16)[None], "s16", "mono")
        frame.rate, frame.pts = RATE, 0
        resampler = av.AudioResampler(stream.format, "mono", RATE, stream.frame_size or 1024)
        for part in (*resampler.resample(frame), *resampler.resample(None), None):
            container.mux(stream.encode(part))
    return path


def clicks(bpm: float, seconds: float, start: float = 0.3) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A click track, and the times of its clicks in seconds."""
    times = np.arange(start, seconds - 0.05, 60 / bpm)
    wave = np.zeros(int(seconds * RATE))
    after = np.arange(int(0.01 * RATE))
    for time in times:
        wave[int(time * RATE) :][: len(after)] = 0.8 * np.sin(after * 0.15) * np.exp(-after / 80)
    return wave, times


def band(
    seconds: float = 16.0, bpm: float = 120.0, change: float = 8.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Drums over tones, and the times of the kicks; from `change` seconds on the drums are louder, the tones others."""
    wave, t = np.zeros(int(seconds * RATE)), np.arange(int(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).standard_normal(RATE)
    times = np.arange(0.25, seconds - 0.3, 60 / bpm)
    after = np.arange(int(0.25 * RATE)) / RATE
    kick = np.sin(2 * np.pi * (50 * after + 1.3 * (1 - np.exp(-after * 30)))) * np.exp(-after * 14)
    for number, time in enumerate(times):
        loud = 0.6 if time >= change else 0.25
        wave[int(time * RATE) :][: len(after)] += loud * kick
        if number % 2:
            wave[int(time * RATE) :][: len(after)] += 0.3 * loud * noise[: len(after)] * np.exp(-after * 20)
        wave[int((time + 30 / bpm) * RATE) :][:2000] += 0.08 * noise[:2000] * np.exp(-np.arange(2000) / 500)
    for tone in (220.0, 277.0, 330.0):
        high = 0.04 * np.sin(4.48 * np.pi * tone * t) + 0.02 * np.sin(12 * np.pi * tone * t)
        wave += np.where(t < change, 0.05 * np.sin(2 * np.pi * tone * t), high)
    return wave, times
