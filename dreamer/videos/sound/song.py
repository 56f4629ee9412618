"""Analysis of a song: curves, beats and sections, found once and cached by the file's hash."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError

from dreamer.errors import DreamerError, UsageError, many
from dreamer.files import read_bounded, write_atomically
from dreamer.files.folders import cache_folder
from dreamer.limits import SONG_BYTES, SONG_SECONDS
from dreamer.recipes.drives import CURVES
from dreamer.videos.clip.audio import sound_in
from dreamer.videos.sound.beats import beats_of, onsets_of, phase_of
from dreamer.videos.sound.curve import Curve
from dreamer.videos.sound.sections import novelty_of, sections_of
from dreamer.videos.sound.spectrum import STEP, Floats, spectrum_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

_VERSION = 1  # of the cached analysis, to be raised whenever a curve changes
_LOUD = 98  # percentile of the amplitudes that is 1 in a curve: a single bang does not make all else small
_SENSED = 0.6  # exponent of the amplitude that is sensed as loudness (Stevens 1955)
_SILENT = 1e-4  # amplitude below which there is nothing to be driven by
_WAVEFORM = "waveform"


@dataclass(frozen=True, eq=False)
class Song:
    """A song as it is heard.

    `curves` has those of `recipes.drives.CURVES`, one value in 0..1 each `STEP` seconds, and the `waveform`: the
    highest sample of each. `beats` and the beginnings of `sections` are in seconds; `sha256` is the file's.
    """

    sha256: str
    curves: dict[str, Floats]
    beats: Floats
    sections: Floats

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.curves[_WAVEFORM]) * STEP

    def curve(self, name: str) -> Curve:
        """One of `CURVES`."""
        return Curve(self.curves[name])

    def beat(self, number: float) -> float:
        """The time in seconds of a beat, counted from 0; between two for a fraction.

        Raises UsageError where the song has no such beat.
        """
        if not 0 <= number <= len(self.beats) - 1:
            beats = f"{many(len(self.beats), 'beat')}, counted from 0" if len(self.beats) else "no beats"
            raise UsageError(f"{number:g}b: the song has {beats}; use one of them, or seconds")
        return float(np.interp(number, np.arange(len(self.beats)), self.beats))


def heard_in(path: Path) -> Song:
    """The analysis of a file of sound or a clip, from the cache if it is there.

    Time counts from a clip's first picture. Raises UsageError where there is no sound that can be read.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe or a device may have no end
            raise UsageError(f"{path} is not a regular file; name one that is")
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: the sound cannot be read ({getattr(error, 'strerror', None) or error})") from error
    kept = cache_folder() / "sound" / f"{sha256}-{_VERSION}.safetensors"
    with suppress(OSError, DreamerError, SafetensorError, KeyError, ValueError):
        return _song(sha256, safetensors.torch.load(read_bounded(kept, SONG_BYTES)))
    found = _heard(path)
    with suppress(OSError, DreamerError):  # without a cache it is only slower
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, safetensors.torch.save(found))
    return _song(sha256, found)


def _song(sha256: str, kept: dict[str, Tensor]) -> Song:
    """The song of what is kept; KeyError or ValueError where that is something else."""
    values = {name: kept[name].double().numpy() for name in (*CURVES, _WAVEFORM, "the beats", "the sections")}
    beats, sections = values.pop("the beats"), values.pop("the sections")
    if len({each.shape for each in values.values()}) > 1 or beats.ndim != 1 or sections.ndim != 1:
        raise ValueError("curves of one length are expected")
    return Song(sha256, values, beats, sections)


def _heard(path: Path) -> dict[str, Tensor]:
    """The analysis of a song as it is cached, in single precision."""
    spectrum = spectrum_of(_samples(path))
    (onsets, pulse), novelty = onsets_of(spectrum.mel), novelty_of(spectrum.mel)
    beats = beats_of(pulse)
    found = {name: _sensed(getattr(spectrum, name)) for name in ("loudness", "bass", "middle", "treble")}
    found |= {"onsets": onsets.clip(0, 1), "beat": phase_of(beats, len(onsets)), "sections": _full(novelty)}
    found |= {_WAVEFORM: spectrum.peak.clip(0, 1), "the beats": beats, "the sections": sections_of(novelty, beats)}
    return {name: torch.from_numpy(values).float() for name, values in found.items()}


def _samples(path: Path) -> Iterator[Tensor]:
    """The mean of a file's two channels, a part at a time."""
    for frame in sound_in(path, Fraction(SONG_SECONDS)):
        yield torch.from_numpy(frame.to_ndarray().mean(0)).nan_to_num_().clamp_(-1, 1)


def _sensed(amplitude: Floats) -> Floats:
    """A curve of amplitudes (n,): as they are sensed, from 0 to the song's loudest."""
    return _full(amplitude**_SENSED, _SILENT**_SENSED)


def _full(values: Floats, least: float = 1e-6) -> Floats:
    """Values (n,) of at least 0 brought to the range from 0 to 1 over the song."""
    loud = float(np.percentile(values, _LOUD)) if len(values) else 0.0
    loud = loud if loud > least else max(float(values.max(initial=0)), least)
    return (values / loud).clip(0, 1)
