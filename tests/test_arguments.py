"""Whatever is handed to dreamer's functions: a sentence that names the argument, and never a raw error."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from command import pixels
from PIL import Image
from torch import nn

import dreamer
from dreamer.api.changes import Changes, UnitChanges, ZoomChanges
from dreamer.api.names import loaded_registry
from dreamer.testing.tiny import tiny_network

PHOTO = Image.fromarray(pixels(48, 40))
NETWORK = tiny_network()
FEW: dict[str, Any] = {"network": NETWORK, "octaves": {"count": 1, "steps": 1}}
SMALL: dict[str, Any] = {"size": 40, "steps": 1}


class Unspeakable:
    def __repr__(self) -> str:
        return "blah" * 1000


def closed() -> io.BytesIO:
    file = io.BytesIO(b"x")
    file.close()
    return file


WRONG: tuple[Any, ...] = (
    *(None, -1, 2.5, float("nan"), 10**5000, True, "", "zzz", "a" * 9000, b"x", "x\0y", "\ud800", 1 + 2j, ...),
    *([], [None], [[[]]], {}, {1: 2}, {"name": None}, (1, 2), set(), iter([1]), range(3), object(), Unspeakable()),
    *(np.zeros((2, 2)), np.full((8, 8, 3), np.nan), np.array(["a"]), np.zeros((8, 8, 3), complex), np.array([])),
    *(torch.zeros(3), torch.zeros(2, 3, 8, 8), torch.zeros(3, 8, 8, device="meta"), torch.zeros(3, dtype=torch.cfloat)),
    *(NETWORK, lambda: 1, torch.device("cuda", 7), torch.float16, closed(), Image.new("RGB", (0, 0))),
)
"""Each is wrong almost everywhere; where it is right, nothing may be raised at all."""


def dream(photo: Any = PHOTO, **words: Any) -> Any:
    return dreamer.dream(photo, **{**FEW, **words})


def visualize(network: Any = NETWORK, objective: Any = None, **words: Any) -> Any:
    return dreamer.visualize(network, objective, **{**SMALL, **words})


def zoom(photo: Any = PHOTO, **words: Any) -> Any:
    return next(dreamer.zoom(photo, **{**FEW, "seconds": 0.1, "fps": 10, **words}))


def video(clip: Any = "none.mp4", **words: Any) -> Any:
    return next(dreamer.video(clip, **{**FEW, **words}))


def wrap(module: Any = nn.Conv2d(3, 4, 3), **words: Any) -> Any:  # noqa: B008
    return dreamer.Network.wrap(module, **words)


def register(function: Any = lambda image: image.mean(), kind: Any = "priors", name: Any = "calm") -> None:
    dreamer.register(function, kind, name)


def features(image: Any = torch.zeros(1, 3, 40, 40), layers: Any = ("two",)) -> Any:  # noqa: B008
    return NETWORK.features(image, layers)


def sizes(height: Any = 40, width: Any = 40, layers: Any = ("two",)) -> Any:
    return NETWORK.sizes(height, width, layers)


def term(kind: Callable[..., Any], first: dict[str, Any], **words: Any) -> Any:
    return visualize(objective=kind(**{**first, **words}))


_TERMS = {
    "channel": partial(term, dreamer.channel, {"layer": "two", "number": 1}),
    "neuron": partial(term, dreamer.neuron, {"layer": "two", "number": 1}),
    "direction": partial(term, dreamer.direction, {"layer": "two", "vector": [1.0] * 16}),
}
FUNCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any], Any]] = {
    "dream": (dream, dreamer.dream, Changes),
    "visualize": (visualize, dreamer.visualize, UnitChanges),
    "zoom": (zoom, dreamer.zoom, ZoomChanges),
    "video": (video, dreamer.video, None),
    "wrap": (wrap, dreamer.Network.wrap, None),
    "register": (register, dreamer.register, None),
    "load_network": (partial(dreamer.load_network, **{"name": "reverie"}), dreamer.load_network, None),
    "features": (features, NETWORK.features, None),
    "sizes": (sizes, NETWORK.sizes, None),
    "layer": (NETWORK.layer, NETWORK.layer, None),
    **{name: (call, getattr(dreamer, name), None) for name, call in _TERMS.items()},
}


def arguments(name: str) -> Iterator[str]:
    """Those of a function; of a recipe's keys some of each kind, since all are read alike."""
    _, function, changes = FUNCTIONS[name]
    parameters = inspect.signature(function).parameters.values()
    yield from (p.name for p in parameters if p.kind is not p.VAR_KEYWORD)
    few = {"seed", "balance", "octaves", "priors", "init", "pictures", "fps", "centre", "keyframes", "loop"}
    yield from (key for key in changes.__annotations__ if key in few) if changes else ()


CASES = [(function, name) for function in FUNCTIONS for name in arguments(function)]


@pytest.fixture(autouse=True)
def own_names() -> Iterator[None]:
    names = loaded_registry()
    state = names.state()
    yield
    names.restore(state)


@pytest.mark.parametrize(("function", "name"), CASES)
def test_nothing_raw_is_raised(function: str, name: str) -> None:
    call = FUNCTIONS[function][0]
    for value in WRONG:
        if name in ("tile", "max_pixels") and isinstance(value, int):
            continue
        try:
            call(**{name: value})
        except dreamer.DreamerError as error:
            assert (str(error) and len(str(error)) < 700) or "a" * 200 in str(error), f"{value!r:.60}: {error}"
            for word in ("--", "TOML", "[[a"):
                assert word not in str(error) or (name, word) == ("preset", "TOML"), error
