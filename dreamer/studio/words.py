"""The page's settings as words of a command: no value from outside becomes an option or a path."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dreamer.errors import quoted, reported_together
from dreamer.studio.jobs import is_finite
from dreamer.studio.motion import kind_of, motion_words
from dreamer.studio.shelf import Item, Shelf
from dreamer.videos.clip.unfinished import is_file

FLAGS = {
    "strength": (float, int),
    "keep": (float, int),
    "feature-size": (float, int),
    "size": (int,),
    "seed": (int,),
    "motif": (str,),
    "init": (str,),
    "feather": (float, int),
}
"""The options of `dreamer render` that the page has dials for, and the types of their values."""
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,199}")
_NAME = re.compile(r"[\w][\w .:-]{0,99}")
_LOOK = re.compile(r"(?![-\s])[^/\\=]{1,250}(?<!\s)(?<!\.toml)")  # neither a path, nor an option, nor cut in a region
_FORMULA = re.compile(r"(not:)?(top|bottom|left|right|centre|all|ellipse|colour|part)(:[0-9.,%#/a-fA-F]{1,60})?")
_LONGEST, _MOST = 1000, 300


def words_of(settings: Mapping[str, Any], shelf: Shelf, output: Path | None = None) -> tuple[str, ...]:
    """The words after `dreamer render`, or after `zoom`, `loop` or `video`.

    Args:
        settings: `photo` is a picture's id; `look` a preset's name, or `recipe` the id of a dream; `flags` are values
            of FLAGS, `set` recipe keys and their values, `regions` a list of {"mask": id or formula, "look": name},
            `guide` a picture's id. `kind` is the command if it is not `render`; see `motion_words` for what it takes.
        shelf: Where ids are looked up.
        output: The file to write, if it is to be named.

    Raises:
        UsageError: With every problem; what only the engine can know is not asked here.
    """
    words: list[str] = []
    with reported_together() as problems:

        def item(key: str) -> Item | None:
            found = shelf.find(str(settings[key]))
            if found is None:
                problems.append(f"the {key} is not there any more; choose it again")
            return found

        if settings.get("photo") is None:
            problems.append("there is no photo yet; drop one onto the page")
        elif photo := item("photo"):
            words.append(str(photo.path))
            if photo.is_clip != (kind_of(settings) == "video"):
                problems.append(
                    f"{photo.name} is {'a clip' if photo.is_clip else 'no clip'}; choose what to make of it"
                )
        if settings.get("look"):
            words += ["--preset", _look(settings["look"], problems)]
        elif settings.get("recipe") and (dream := item("recipe")):
            words += ["--recipe", str(dream.path)]
        for key, value in _table(settings, "set", problems).items():
            if _KEY.fullmatch(str(key)) and _is_value(value):
                words += ["--set", f"{key}={_toml(value)}"]
            else:
                problems.append(f"{quoted(key)}: there is no such key, or its value is none that a recipe has")
        for key, value in _table(settings, "flags", problems).items():
            if not (isinstance(value, FLAGS.get(key, ())) and _is_value(value)) or isinstance(value, bool):
                problems.append(f"{quoted(key)}: {quoted(value)} is not a value of it")
            elif key == "feather" and not settings.get("regions"):  # the option is for regions, which may be gone
                words += ["--set", f"feather={value:g}"]
            elif isinstance(value, str):
                words += [f"--{key}", _name(value.replace(",", "-"), key, problems) and value]
            else:
                words += [f"--{key}", f"{value:g}" if isinstance(value, float) else str(value)]
        if settings.get("guide") and (guide := item("guide")):
            words += ["--guide", str(guide.path)]
        words += motion_words(settings, shelf, problems)
        for region in _list(settings, "regions", problems):
            words += ["--region", _region(region, shelf, problems)]
    return (*words, "-o", str(output)) if output else tuple(words)


def command_of(words: Iterable[str], kind: str = "render") -> str:
    """The line that does the same in a shell."""
    return " ".join(map(shlex.quote, ("dreamer", kind, *words)))


def _region(region: Any, shelf: Shelf, problems: list[str]) -> str:
    mask, look = (str(region.get(key, "")) for key in ("mask", "look")) if isinstance(region, dict) else ("", "")
    if not _FORMULA.fullmatch(mask):
        try:
            place = shelf.mask_file(mask)
            mask = str(place)
            if not is_file(place):
                raise ValueError(mask)
        except ValueError:
            problems.append("the mask of a region is not there any more; paint it again")
    return f"{mask}={_look(look, problems)}" if look else mask


def is_look(value: object) -> bool:
    """Whether a look of this name can be asked for."""
    return isinstance(value, str) and value.isprintable() and _LOOK.fullmatch(value) is not None


def _look(value: Any, problems: list[str]) -> str:
    if is_look(value):
        return str(value)
    problems.append(f"look: {quoted(value)} is no name of one; choose another")
    return ""


def _name(value: Any, what: str, problems: list[str]) -> str:
    if isinstance(value, str) and _NAME.fullmatch(value) and not value.endswith(".toml"):
        return value
    problems.append(f"{what}: {quoted(value)} is no name")
    return ""


def _table(settings: Mapping[str, Any], key: str, problems: list[str]) -> Mapping[str, Any]:
    value = settings.get(key) or {}
    if isinstance(value, dict) and len(value) <= _MOST:
        return {name: one for name, one in value.items() if one is not None}
    problems.append(f"{key}: expected at most {_MOST} keys and values")
    return {}


def _list(settings: Mapping[str, Any], key: str, problems: list[str]) -> list[Any]:
    value = settings.get(key) or []
    if isinstance(value, list) and len(value) <= _MOST:
        return value
    problems.append(f"{key}: expected a list")
    return []


def _is_value(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= _MOST and not any(isinstance(one, list) for one in value) and all(map(_is_value, value))
    if isinstance(value, str):
        return len(value) <= _LONGEST and value.isprintable()
    return isinstance(value, (int, float)) and is_finite(value)


def _toml(value: Any) -> str:
    """A value as TOML; JSON has the same spelling for all of these."""
    return json.dumps(value, ensure_ascii=False)
