"""The weights files of reverie and of the decoder, which tell of themselves; they may be a stranger's."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from torch import Tensor, nn

from dreamer import limits
from dreamer.errors import NetworkError
from dreamer.networks.network import Network
from dreamer.networks.pickled import StoredTensor
from dreamer.networks.state_dict import Fit, shape_of
from dreamer.networks.tensor_file import open_safetensors, read_tensors

_NAMED = 3  # most keys that an error names
_NARROWEST, _BROADEST = 0.25, 4.0  # their widths

T = TypeVar("T")


def read_own(path: Path) -> dict[str, StoredTensor]:
    """The tensors of reverie's or the decoder's weights file, by key; raises NetworkError where it is none."""
    found: dict[str, StoredTensor] = read_tensors(path, limits.OWN_WEIGHTS_BYTES)
    metadata(path)  # a .pth file has none
    return found


def fit(module: nn.Module, given: Mapping[str, StoredTensor | Tensor], where: str) -> None:
    """Load tensors into a module of reverie's or the decoder's, as float32.

    Args:
        module: Is changed.
        given: Tensors by key.
        where: What the tensors are from, to begin the error with.

    Raises:
        NetworkError: Keys or shapes differ; the first of them are named.
    """
    check_shapes(given, module.state_dict(), where)
    module.load_state_dict({key: values(tensor) for key, tensor in given.items()}, strict=False)


def values(tensor: StoredTensor | Tensor) -> Tensor:
    """The values of a tensor whose shape was checked, in float32."""
    return (tensor.read() if isinstance(tensor, StoredTensor) else tensor).float()


def check_shapes(given: Mapping[str, StoredTensor | Tensor], wanted: Mapping[str, Tensor], where: str) -> None:
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
        f"{key} is {shape_of(value)} instead of {shape_of(wanted[key])}"
        for key, value in given.items()
        if key in wanted and tuple(value.shape) != tuple(wanted[key].shape)
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
    return open_safetensors(path, limits.OWN_WEIGHTS_BYTES).metadata() or {}


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
    """The factor of a file's network on the usual channels; raises NetworkError when it gives no number."""
    text = metadata(path).get("width", "1")
    with suppress(ValueError):
        if not math.isnan(found := float(text)):
            return min(max(found, _NARROWEST), _BROADEST)
    raise NetworkError(f"{path}: its width is {text[:60]!r}, which is no number; train it again")


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


def fitted(network: Network, fit: Fit) -> Network:
    """The network with another file's weights in it; raises NetworkError where they do not fit up to any layer."""
    labels = network.labels if fit.classes is None else tuple(map(str, range(fit.classes)))
    network = replace(network, labels=labels, fit=fit)
    if fit.absent and fit.absent_up_to(next(iter(layers := network.anatomy.layers)), layers):
        raise NetworkError(fit.problem(fit.absent))
    return network
