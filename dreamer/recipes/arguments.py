"""Checks of the arguments of dreamer's Python functions."""

from __future__ import annotations

import inspect
import numbers
import os
from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from dreamer.errors import UsageError, quoted, reported_together
from dreamer.recipes.preset import Preset


@dataclass(frozen=True)
class Argument:
    """An argument: a phrase for what is expected, and whether a value fits; an `optional` one may be None."""

    expected: str
    fits: Callable[[Any], bool]
    optional: bool = False


def _whole(low: int, *, optional: bool = False) -> Argument:
    expected = f"a whole number of at least {low}"
    return Argument(expected, lambda value: is_whole(value) and low <= value < 1 << 63, optional)


def is_whole(value: Any) -> bool:
    """Whether this is a whole number, numpy's as well."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether this is a finite number, numpy's as well."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and value - value == 0


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, os.PathLike)) and os.fspath(value) not in ("", b"")


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes)) and not hasattr(value, "read")


def _is_triple(value: Any) -> bool:
    with suppress(NotImplementedError, TypeError):  # of a tensor without values
        values = value.tolist() if hasattr(value, "tolist") else value
        return isinstance(values, (list, tuple)) and len(values) == 3 and all(map(is_number, values))
    return False


def _called_with(count: int, what: str) -> Argument:
    def fits(value: Any) -> bool:
        if not callable(value):
            return False
        try:
            inspect.signature(value).bind(*range(count))
        except TypeError:
            return False
        except ValueError:  # a built-in one, which does not say
            return True
        return True

    return Argument(f"a function of {what}", fits, optional=True)


_LAYER = Argument("a layer's name, as in 'layer3'", lambda value: isinstance(value, str))
_PATH = Argument("a path", _is_path, optional=True)
_TEXT = Argument("a text", lambda value: isinstance(value, str) and bool(value))
_YES_OR_NO = Argument("True or False", lambda value: isinstance(value, bool))
_MOMENT = Argument("a number of seconds, from 0", lambda value: is_number(value) and 0 <= value < 10**9, optional=True)
_ARGUMENTS: Mapping[str, Argument] = {
    "preset": Argument("a name, a TOML file or a Preset", lambda v: isinstance(v, Preset) or _is_path(v), True),
    "weights": _PATH,
    "folder": _PATH,
    "clip": Argument("a path", _is_path),
    "function": Argument("a function", callable),
    "name": _TEXT,
    "kind": _TEXT,
    "segmenter": replace(_TEXT, optional=True),
    "layer": replace(_LAYER, optional=True),
    "layer_": _LAYER,
    "default_layer": replace(_LAYER, optional=True),
    "layers": Argument("a list of layers' names, as in ['layer3']", _is_list),
    "mean": Argument(
        "three numbers, for red, green and blue, of pictures from 0 to 1",
        lambda v: _is_triple(v) and max(map(abs, v)) <= 2,  # those of pictures from 0 to 255 are about 120
    ),
    "std": Argument(
        "three numbers other than 0, for red, green and blue, of pictures from 0 to 1",
        lambda v: _is_triple(v) and 0 not in v and max(map(abs, v)) <= 2,
    ),
    "labels": Argument("a list of names", lambda v: _is_list(v) and not isinstance(v, (Mapping, Set))),
    "audio": _PATH,
    "dance": _YES_OR_NO,
    "every": Argument("a whole number from 1 to 30", lambda value: is_whole(value) and 1 <= value <= 30),
    "fetch": _YES_OR_NO,
    "steps": _whole(0, optional=True),
    "size": _whole(1, optional=True),
    "size_": _whole(16),
    "proof": _whole(16),
    "max_pixels": _whole(1),
    "count": _whole(1),
    "facets": _whole(1, optional=True),
    "input_size": _whole(1, optional=True),
    "height": _whole(0),
    "width": _whole(0),
    "number": _whole(0),
    "row": _whole(0, optional=True),
    "column": _whole(0, optional=True),
    "picture": _whole(0, optional=True),
    "stability": Argument("a number from 0 to 1", lambda value: is_number(value) and 0 <= value <= 1),
    "start": _MOMENT,
    "end": _MOMENT,
    "seconds": Argument("a number of seconds, up to four hours", lambda v: is_number(v) and 0 < v <= 14400),
    "loop": _YES_OR_NO,
    "looks": Argument("a list of looks, as in ['bloom', 'gaze']", _is_list),
    "returns": Argument("one of pil, tensor, array", lambda v: isinstance(v, str) and v in ("pil", "tensor", "array")),
    "on_step": _called_with(1, "a Step"),
    "on_step_": _called_with(2, "a keyframe's number and a Step"),
    "objective": _called_with(1, "{layer: features}"),
}
"""Arguments by name, which means the same in every function; for another meaning a name ends in an underscore."""


def check(**arguments: Any) -> None:
    """Raise UsageError for arguments that are not what they can be, all of them at once."""
    with reported_together(UsageError) as problems:
        for name, value in arguments.items():
            wanted = _ARGUMENTS[name]
            if not (wanted.optional and value is None) and not wanted.fits(value):
                problems.append(f"{name.rstrip('_')}: {quoted(value)} is not {wanted.expected}")
