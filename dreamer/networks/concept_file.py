"""Files of concepts: directions among a layer's channels that were found in somebody's pictures, as .safetensors."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from dreamer import limits
from dreamer.errors import NetworkError
from dreamer.networks.network import Network
from dreamer.networks.tensor_file import open_safetensors
from dreamer.networks.weights import file_hash

_KEY = "dreamer-concepts-1"
_WORDS = ("network", "weights", "layer", "made")
_TENSORS = ("directions", "factors", "scale")


@dataclass(frozen=True, eq=False)
class Concepts:
    """N concepts of a layer with C channels.

    Attributes:
        network: The network's name.
        weights: The hash of its weights; in older files empty where they are from no file.
        layer: The layer.
        directions: (N, C), each of length 1: what to climb for more of a concept and less of the others.
        factors: (N, C), none below 0: what a concept is made of, in units of `scale`.
        scale: (C,), above 0: how strong each channel is in the pictures.
        made: A hash of all that they were found from.
        sha256: The hash of the file that they were read from.
    """

    network: str
    weights: str
    layer: str
    directions: Tensor
    factors: Tensor
    scale: Tensor
    made: str = ""
    sha256: str = ""

    def __len__(self) -> int:
        return len(self.directions)

    def check(self, network: Network) -> None:
        """Raise NetworkError unless they are of this network, with these weights."""
        if self.network != network.name:
            raise NetworkError(
                f"its concepts are of the network {self.network}, and this one is {network.name}; use that one"
            )
        if self.weights != (network.weights_hash if self.weights else network.weights):
            raise NetworkError(f"its concepts are of other weights of {network.name}; find them again with these")
        count = network.layer(self.layer).channels
        if count != self.directions.shape[1]:
            held = self.directions.shape[1]
            raise NetworkError(
                f"its concepts have {held} numbers, and layer {self.layer} has {count} channels; find them again"
            )

    def to_bytes(self) -> bytes:
        """The file."""
        words = {name: getattr(self, name) for name in _WORDS}
        tensors = {name: getattr(self, name).contiguous() for name in _TENSORS}
        return save(tensors, {_KEY: json.dumps(words)})  # of several keys the order would change each time


def read_concepts(path: Path) -> Concepts:
    """The concepts of a file, which may be a stranger's; raises NetworkError with a sentence that begins with it."""
    try:
        file = open_safetensors(path, limits.CONCEPTS_BYTES)
        words = _words((file.metadata() or {}).get(_KEY, ""))
        if words is None or set(file.keys()) != {*_TENSORS}:
            raise NetworkError("it holds no concepts")
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in _TENSORS}
        count, channels = (*shapes["directions"], 0, 0)[:2]
        if not (0 < count <= limits.CONCEPTS and channels) or shapes != _shapes(count, channels):
            raise NetworkError("its tensors have other shapes than those of concepts")
        tensors = {name: file.get_tensor(name).float() for name in _TENSORS}
        if not all(tensor.isfinite().all() for tensor in tensors.values()) or (tensors["scale"] <= 0).any():
            raise NetworkError("its numbers are NaN, infinite or no scale")
        if not tensors["directions"].any(1).all() or tensors["factors"].min() < 0:
            raise NetworkError("one of its concepts is no direction")
        network, weights, layer, made = words
        return Concepts(network, weights, layer, **tensors, made=made, sha256=file_hash(path))
    except NetworkError as error:
        said = str(error)
        raise NetworkError(
            said if said.startswith(str(path)) else f"{path}: {said}; make it again with `dreamer concepts`"
        ) from error


def _words(text: str) -> list[str] | None:
    """The texts in a file of concepts, in the order of `_WORDS`; None for any other text."""
    with suppress(ValueError, RecursionError):
        words = json.loads(text)
        if isinstance(words, dict) and all(isinstance(words.get(name), str) for name in _WORDS):
            return [words[name] for name in _WORDS]
    return None


def _shapes(count: int, channels: int) -> dict[str, tuple[int, ...]]:
    whole = (count, channels)
    return {"directions": whole, "factors": whole, "scale": (channels,)}
