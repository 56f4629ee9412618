"""Reading weights files, which may be a stranger's: nothing in them is ever executed, and sizes are bounded."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from dreamer.errors import NetworkError

_LARGEST = 8 * 2**30  # bytes: no network that anybody dreams with is larger
_NAMED = 3  # how many keys an error names
_OWN_LARGEST = 64 * 2**20  # bytes: no file of reverie or of the decoder is larger, whatever its width
_NARROWEST, _BROADEST = 0.25, 4.0  # their widths

T = TypeVar("T")

# Before 2018 DenseNet's layers were called norm.1, conv.2, ...; its published weights still are.
_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.(?:weight|bias|running_mean|running_var))$")
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")  # heads that only training needs


def read_weights(path: Path, largest: int = _LARGEST) -> dict[str, Tensor]:
    """The tensors of a .safetensors or .pth file, by key; raises NetworkError for any other file, or a larger one."""
    if not path.is_file():
        raise NetworkError(f"{path}: there is no such weights file")
    if path.stat().st_size > largest:
        size, most = path.stat().st_size // 2**20, largest // 2**20
        raise NetworkError(f"{path}: {size} MiB is too large for such weights; at most {most} are read")
    try:
        state: Any = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # whatever the two libraries raise for a broken or dangerous file
        raise NetworkError(
            f"{path}: not a weights file, or one that holds code besides tensors, which dreamer never runs; "
            "a .safetensors file, or a .pth written by torch.save(module.state_dict()), is wanted"
        ) from error
    if isinstance(state, Mapping):
        state = next((state[key] for key in ("state_dict", "model") if isinstance(state.get(key), Mapping)), state)
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise NetworkError(f"{path}: holds no state dict (tensors by name)")
    return {str(key).removeprefix("module."): value for key, value in state.items()}


def read_own(path: Path) -> dict[str, Tensor]:
    """The float32 tensors of reverie's or the decoder's weights file, by key; see `read_weights`."""
    return {key: value.float() for key, value in read_weights(path, _OWN_LARGEST).items()}


def fit(module: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Load a state dict into a module.

    Args:
        module: Is changed.
        state: Tensors by key. Heads that only training needs, and keys as DenseNet's before 2018, are understood.
        where: What the tensors are from, to begin the error with.

    Raises:
        NetworkError: Keys or shapes differ; the first of them are named.
    """
    given = {_OLD_DENSENET.sub(r"\1\2", key): value for key, value in state.items()}
    own = module.state_dict()
    given = {key: value for key, value in given.items() if key in own or not key.startswith(_AUXILIARY)}
    check_shapes(given, own, where)
    module.load_state_dict(given, strict=False)


def check_shapes(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], where: str) -> None:
    """Compare tensors with those that are wanted, by key and shape.

    Args:
        given: Tensors by key.
        wanted: Others by key, of which only shapes count; "num_batches_tracked" may be missing.
        where: What the tensors are from, to begin the error with.

    Raises:
        NetworkError: Keys or shapes differ; the first of them are named.
    """
    missing = [key for key in wanted if key not in given and not key.endswith("num_batches_tracked")]
    unknown = [key for key in given if key not in wanted]
    shapes = [
        f"{key} is {_shape(value)} instead of {_shape(wanted[key])}"
        for key, value in given.items()
        if key in wanted and value.shape != wanted[key].shape
    ]
    problems = [
        f"{title}: {', '.join(found[:_NAMED])}{f' and {len(found) - _NAMED} more' if len(found) > _NAMED else ''}"
        for title, found in (("missing", missing), ("not known", unknown), ("of another shape", shapes))
        if found
    ]
    if problems:
        raise NetworkError(f"{where} does not fit: {'; '.join(problems)}")


def metadata(path: Path) -> dict[str, str]:
    """A file's metadata, texts by key; raises NetworkError when it is no .safetensors file."""
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except Exception as error:  # safetensors raises an exception class of its own for a broken file
        raise NetworkError(f"{path} is not a .safetensors file: {error}") from error


def read_metadata(path: Path, key: str, like: T) -> T:
    """Read one entry of a file's metadata, written as JSON.

    Args:
        path: A .safetensors file.
        key: The entry's.
        like: An example of it; it must be of the same types, inside as well.

    Returns:
        The entry; an empty one of the example's type where there is none.

    Raises:
        NetworkError: The file is no .safetensors file, or the entry is of another type.
    """
    text = metadata(path).get(key)
    try:
        found: object = json.loads(text) if text else type(like)()
    except (ValueError, RecursionError):  # no JSON, or nested without end
        found = None
    if not _alike(found, like):
        raise NetworkError(f"{path}: its {key} should read like {json.dumps(like)}, but it is {str(text)[:60]!r}")
    return found


def _alike(found: object, like: T) -> TypeGuard[T]:
    """Whether both are of the same type, and everything inside of them as well."""
    within, examples = _inside(found), _inside(like)
    return type(found) is type(like) and all(_alike(item, example) for example in examples for item in within)


def _inside(entry: object) -> list[Any]:
    return list(entry.values()) if isinstance(entry, dict) else entry if isinstance(entry, list) else []


def width_of(path: Path) -> float:
    """By how much a file's network multiplies the usual channels; raises NetworkError when it gives no number."""
    text = metadata(path).get("width", "1")
    with suppress(ValueError):
        if not math.isnan(found := float(text)):
            return min(max(found, _NARROWEST), _BROADEST)
    raise NetworkError(f"{path}: its width is {text[:60]!r}, which is no number")


def widened(width: float, *channels: int) -> tuple[int, ...]:
    """The usual channels times `width`, to the nearest multiple of 8, and 8 at least."""
    return tuple(max(8, int(count * width / 8 + 0.5) * 8) for count in channels)


def story(path: Path) -> dict[str, Any]:
    """The record of the training that made a weights file; empty where there is none."""
    return read_metadata(path, "training", {})


def file_hash(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"
