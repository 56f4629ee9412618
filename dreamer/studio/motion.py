"""The page's settings of a clip as words of `dreamer zoom`, `dreamer loop` and `dreamer video`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dreamer.errors import quoted
from dreamer.studio.jobs import is_finite
from dreamer.studio.shelf import Shelf

KINDS = ("render", "zoom", "loop", "video")
"""The commands that the page asks for."""
ENDINGS = (".mp4", ".webm", ".gif")
"""Suffixes of the clips that the studio makes."""
_NUMBER, _PAIR, _PLACE, _SWITCH, _CLIP = "number", "pair", "place", "switch", "clip"
_WORDS: dict[str, dict[str, str | tuple[str, ...]]] = {
    "render": {},
    "zoom": {
        **{"seconds": _NUMBER, "fps": _NUMBER, "rate": _NUMBER, "angle": _NUMBER, "centre": _PLACE, "pan": _PAIR},
        **{"ease": ("none", "in", "out", "both"), "direction": ("in", "out"), "loop": _SWITCH},
        **{"mode": ("keyframes", "feedback"), "preview": _SWITCH, "audio": _CLIP, "dance": _SWITCH},
    },
    "loop": {"seconds": _NUMBER, "fps": _NUMBER, "seeds": _NUMBER, "preview": _SWITCH},
    "video": {
        **{"stability": _NUMBER, "start": _NUMBER, "end": _NUMBER, "no-audio": _SWITCH, "dance": _SWITCH},
        "preview": _SWITCH,
    },
}
_KEYFRAME = {"time": _NUMBER, "rate": _NUMBER, "angle": _NUMBER, "centre": _PAIR, "pan": _PAIR, "strength": _NUMBER}
_MOST_KEYFRAMES = 1000


def kind_of(settings: Mapping[str, Any]) -> str:
    """The command that the settings ask for: the first of KINDS where they name none that there is."""
    kind = settings.get("kind")
    return kind if isinstance(kind, str) and kind in KINDS else KINDS[0]


def motion_words(settings: Mapping[str, Any], shelf: Shelf, problems: list[str]) -> Iterator[str]:
    """The words for how a clip moves.

    The options and their values are in the table named by the command, and a zoom's keyframes, tables as well, are its
    `path`. What is wrong is added to `problems`; whether values are in their ranges the command says.
    """
    kind = kind_of(settings)
    table = settings.get(kind) or {}
    if not isinstance(table, dict):
        problems.append(f"{kind}: expected options and values")
        return
    for key, value in table.items():
        wanted = _WORDS[kind].get(key)
        if value is None or value is False:
            continue
        clip = shelf.find(value) if wanted == _CLIP and isinstance(value, str) else None
        if wanted is None or not (_fits(value, wanted) or (clip and clip.is_clip)):
            problems.append(f"{quoted(key)}: {quoted(value)} is not a value of it")
            continue
        yield f"--{key}"
        if clip:
            yield str(clip.path)
            continue
        if wanted != _SWITCH:
            yield ",".join(map(_plain, value)) if isinstance(value, list) else _plain(value)
    if kind == "zoom" and (keyframes := settings.get("path")):
        if _are_keyframes(keyframes):
            yield "--keyframes"
            yield str(shelf.keyframes(_toml(keyframes)))
        else:
            problems.append("the path through the photo cannot be read; draw it again")


def _fits(value: Any, kind: str | tuple[str, ...]) -> bool:
    if isinstance(kind, tuple):
        return isinstance(value, str) and value in kind
    if kind == _PLACE and value == "follow":
        return True
    if kind in (_PAIR, _PLACE):
        return isinstance(value, list) and len(value) == 2 and all(_fits(one, _NUMBER) for one in value)
    if kind in (_SWITCH, _CLIP):
        return kind == _SWITCH and isinstance(value, bool)
    return isinstance(value, (int, float)) and not isinstance(value, bool) and is_finite(value)


def _are_keyframes(tables: Any) -> bool:
    return (
        isinstance(tables, list)
        and len(tables) <= _MOST_KEYFRAMES
        and all(isinstance(table, dict) and all(_is_setting(*pair) for pair in table.items()) for table in tables)
    )


def _is_setting(key: str, value: Any) -> bool:
    return key in _KEYFRAME and _fits(value, _KEYFRAME[key])


def _plain(value: float | str) -> str:
    return f"{value:.10g}" if isinstance(value, (int, float)) else value


def _toml(tables: list[dict[str, Any]]) -> str:
    """Keyframes as `--keyframes` reads them; JSON has the same spelling for numbers and lists of them."""
    lines = ["# A path drawn in dreamer's studio."]
    for table in tables:
        lines += ["", "[[keyframes]]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"
