"""Options, read from the signature of a function or the fields of a dataclass, and the values given for them, checked.

    def jitter(image: Tensor, *, pixels: Annotated[int, Range(0, 512)] = 32) -> Tensor: ...

A keyword-only argument with an annotation and a default is an option. The signature is at once the documentation, the
command line's grammar and the preset's schema.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from dreamer.errors import did_you_mean, either, quoted

RESERVED = frozenset(
    {
        *("photo", "photo_features", "overview", "guide", "image", "gradient", "step"),
        *("network", "layer", "paint", "step_size", "edges"),
    }
)
"""Keywords that dreamer fills in; every other keyword of an ingredient is an option."""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Range:
    """The allowed values of a number, both ends included: `Annotated[float, Range(0, 1)]`."""

    low: float = -math.inf
    high: float = math.inf

    def __str__(self) -> str:
        infinite = math.isinf(self.high)
        return f"of at least {self.low:g}" if infinite else f"from {_plain(self.low)} to {_plain(self.high)}"


def reaching(positions: int) -> Callable[[F], F]:
    """Mark an objective whose score at a position depends on neighbours up to `positions` away in each direction.

    Tiles overlap by as much, and stay exact: `@reaching(2)` above `def contrast(features, ...)`.
    """

    def mark(function: F) -> F:
        function.__dict__["reach"] = positions
        return function

    return mark


def reach_of(function: Callable[..., Any]) -> int:
    """The number of positions that `reaching` marked an objective with; 0 if it did not."""
    return int(getattr(function, "reach", 0))


def leaving_edges(function: F) -> F:
    """Mark an ingredient after which opposite edges of a picture do not fit: `@leaving_edges` above `def rotate`.

    It cannot be used on a picture that goes round; any other ingredient is taken to go round with it.
    """
    function.__dict__["leaves_edges"] = True
    return function


def leaves_edges(function: Callable[..., Any]) -> bool:
    """Whether `leaving_edges` marked an ingredient."""
    return bool(getattr(function, "leaves_edges", False))


@dataclass(frozen=True)
class Option:
    """One option: its name, its type (int, float, bool, str, a Literal, a tuple of these), default and range."""

    name: str
    type: Any
    default: Any
    range: Range = Range()
    optional: bool = False

    @property
    def allowed(self) -> str:
        """The allowed values as a phrase: "a number from 0 to 1"."""
        return _words(self.type) + ("" if self.range == Range() else f" {self.range}")

    def read(self, value: Any) -> Any:
        """The value, checked and converted to the option's type; a text from the command line is parsed.

        Raises ValueError, which says what is allowed and which value is nearest.
        """
        if value is None and self.optional:
            return None
        try:
            return _read(value, self.type, self.range)
        except (ValueError, TypeError, OverflowError):
            raise ValueError(f"{quoted(value)} is not {self.allowed}{self._nearest(value)}") from None

    def _nearest(self, value: Any) -> str:
        if get_origin(self.type) is Literal and isinstance(value, str):
            near = difflib.get_close_matches(value, map(str, get_args(self.type)), n=1)
            return f"; did you mean {near[0]}?" if near else ""
        if self.type in (int, float) and isinstance(value, (int, float)) and not isinstance(value, bool):
            low, high = self.range.low, self.range.high
            limit = low if value < low else high if value > high else None
            return "" if limit is None else f"; the nearest is {_plain(limit)}"
        return ""


def options_of(function: Callable[..., Any]) -> dict[str, Option]:
    """A function's options by name.

    A class, an object that can be called, and a function of C, whose signature is not known, are functions as well.

    Raises TypeError for a function that cannot be called with a tensor, and for an option without annotation or
    default, or of another type or one whose name is not known.
    """
    called, parameters = getattr(function, "__name__", type(function).__name__), parameters_of(function)
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    if all(parameter.kind in named for parameter in parameters):
        raise TypeError(f"{called} takes no tensor, which an ingredient is given first")
    needed = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    plain = [p for p in parameters if p.kind in needed and p.default is p.empty]
    if others := [p.name for p in plain if p is not parameters[0]]:
        told = f"needs {' and '.join(others)} beside its tensor; put a bare * before {others[0]}"
        raise TypeError(f"{called} {told}")
    options = {}
    for parameter in parameters:
        name, given = parameter.name, getattr(function, "keywords", ())  # as of a partial
        if parameter.kind is not parameter.KEYWORD_ONLY or name in RESERVED or name in given:
            continue
        kind = _hint(function, name)
        lacking = "annotation" if kind is None else "default" if parameter.default is parameter.empty else ""
        if lacking:
            raise TypeError(f"option {name} of {called} has no {lacking}")
        options[name] = _option(name, kind, parameter.default)
        if not _supported(options[name].type):
            kinds = "int, float, bool, str, Literal[...] or a tuple of these, as tuple[int, ...]"
            raise TypeError(f"option {name} of {called} is {kind}; an option is {kinds}")
    return options


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a function; where a function of C does not tell them, a single one for the tensor."""
    try:
        return [*inspect.signature(function).parameters.values()]
    except ValueError:
        return [inspect.Parameter("tensor", inspect.Parameter.POSITIONAL_ONLY)]


def _hint(function: Callable[..., Any], name: str) -> Any:
    """The annotation of one parameter, without those of the others, whose names need not be known; None for none."""
    while isinstance(function, partial):
        function = function.func
    if inspect.isclass(function):
        function = function.__new__ if function.__init__ is object.__init__ else function.__init__
    elif not inspect.isroutine(function):
        function = type(function).__call__
    function = inspect.unwrap(function)
    annotation = getattr(function, "__annotations__", {}).get(name)
    if not isinstance(annotation, str):
        return annotation
    names = getattr(function, "__globals__", {})
    holder = types.SimpleNamespace(__annotations__={name: annotation})
    try:
        return typing.get_type_hints(holder, names, include_extras=True)[name]
    except Exception as error:  # whatever stands in the text
        raise TypeError(f"the type of option {name} is not known when it runs ({error}); import it there") from error


def _supported(kind: Any) -> bool:
    if get_origin(kind) is tuple:
        return all(part is ... or _supported(part) for part in get_args(kind))
    return kind in (int, float, bool, str) or get_origin(kind) is Literal


def wanted_of(function: Callable[..., Any]) -> frozenset[str]:
    """The reserved keywords that a function takes."""
    return frozenset(p.name for p in parameters_of(function) if p.kind is p.KEYWORD_ONLY and p.name in RESERVED)


@cache
def fields_of(cls: type) -> Mapping[str, Option]:
    """The fields of a dataclass as options by name, for those fields whose type an option can have."""
    hints = typing.get_type_hints(cls, include_extras=True)
    options = {}
    for field in dataclasses.fields(cls):
        option = _option(field.name, hints[field.name], field.default)
        if option.type in (int, float, bool, str) or get_origin(option.type) is Literal:
            options[field.name] = option
    return MappingProxyType(options)


def read_all(given: Mapping[str, Any], options: Mapping[str, Option], where: str) -> tuple[dict[str, Any], list[str]]:
    """Check values against their options.

    Args:
        given: Option name -> value, as written.
        options: Option name -> option.
        where: Key path in front of the names, for the sentences; "" at the top of a recipe.

    Returns:
        Option name -> converted value, and a sentence with its key path for each wrong or unknown one.
    """
    values: dict[str, Any] = {}
    problems = []
    for name, value in given.items():
        path = f"{where}.{name}".lstrip(".")
        if name not in options:
            problems.append(f"{path}: unknown key{did_you_mean(name, options)}")
            continue
        try:
            values[name] = options[name].read(value)
        except ValueError as error:
            problems.append(f"{path}: {error}")
    return values, problems


def table_problem(key: str, value: Any) -> str:
    """The sentence about a key's value that is not a table; empty if it is one."""
    how = either(f"dict, as in {key}={{...}}", f"table, as in [{key}]")
    return "" if isinstance(value, Mapping) else f"{key}: expected a {how}"


def tables_problem(kind: str, items: Any) -> str:
    """The sentence about a kind's value that is not a list of tables; empty if it is one."""
    fits = isinstance(items, (list, tuple)) and all(isinstance(item, Mapping) for item in items)
    how = either(f"names, dicts or functions, as in {kind}=['...']", f"tables, as in [[{kind}]]")
    return "" if fits else f"{kind}: expected a list of {how}"


def _option(name: str, hint: Any, default: Any) -> Option:
    limits, optional = Range(), False
    if get_origin(hint) in (Union, types.UnionType):
        inner = [part for part in get_args(hint) if part is not type(None)]
        optional = len(inner) < len(get_args(hint))
        hint = inner[0]
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        limits = next((extra for extra in extras if isinstance(extra, Range)), limits)
    return Option(name, hint, default, limits, optional)


def _plain(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


def _words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    if get_origin(kind) is tuple:
        return f"a list, each item {_words(get_args(kind)[0])}"
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}.get(kind, str(kind))


def _read(value: Any, kind: Any, limits: Range) -> Any:
    if get_origin(kind) is tuple:
        items = value.split(",") if isinstance(value, str) else value
        items = items if isinstance(items, (list, tuple)) else [items]
        items = [item.strip() if isinstance(item, str) else item for item in items]
        return tuple(_read(item, get_args(kind)[0], limits) for item in items)
    if get_origin(kind) is Literal and value in get_args(kind):
        return value
    if kind is bool and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if kind is str and isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # a name that is a number, such as a layer's, needs no quotes
    if kind in (bool, str) and isinstance(value, kind):
        if isinstance(value, str):
            value.encode()  # raises for half of a surrogate pair, which no file can hold
        return value
    if kind in (bool, str) or get_origin(kind) is Literal or isinstance(value, bool):
        raise TypeError
    if isinstance(value, str) and value.endswith("%") and kind is float and 0 <= limits.low and limits.high <= 1:
        value = float(value[:-1]) / 100  # of what goes to 1 at most, percent can mean but one thing
    number = kind(value) if isinstance(value, (int, str)) or kind is float else value
    if not isinstance(number, kind) or not math.isfinite(number) or not limits.low <= number <= limits.high:
        raise ValueError
    return number
