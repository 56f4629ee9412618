"""Dreams over clips: what was dreamt into a frame moves along with what it was dreamt into."""

from __future__ import annotations

from dreamer.video.film.film import STABILITY, Dreamt, Film, load_change, save_change

__all__ = ["STABILITY", "Dreamt", "Film", "load_change", "save_change"]
