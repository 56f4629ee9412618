"""Whatever is handed to dreamer's functions: a sentence that names the argument, and never a raw error."""

from __future__ import annotations

import inspect
import io
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command import pixels
from command import render as command
from PIL import Image
from torch import nn

import dreamer
from dreamer.api.changes import Changes, Settings, UnitChanges, ZoomChanges
from dreamer.api.names import loaded_registry
from dreamer.errors import argument, options_named, setting
from dreamer.testing.tiny import tiny_network

PHOTO = Image.fromarray(pixels(48, 40))
NETWORK = tiny_network()
FEW: dict[str, Any] = {"network": NETWORK, "octaves": {"count": 1, "steps": 1}}
SMALL: dict[str, Any] = {"size": 40, "steps": 1}


class Unspeakable:
    def __repr__(self) -> str:
        return "blah" * 1000


def layered() -> nn.Module:
    return nn.Sequential(OrderedDict(layer4=nn.Conv2d(3, 4, 3)))


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


def enlarge(photo: Any = PHOTO, **words: Any) -> Any:
    return dreamer.enlarge(photo, **{**FEW, "size": 44, **words})


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
    "enlarge": (enlarge, dreamer.enlarge, None),
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


ALIKE = ("visualize", "zoom", "video", "enlarge")
SHARED = {*Settings.__annotations__, "keep", "network", "guide", "returns", "tile"}
"""What those read as `dream` does."""
CASES = [
    (function, name)
    for function in FUNCTIONS
    for name in arguments(function)
    if function not in ("visualize", "zoom", "video", "enlarge")
    or name not in SHARED
    or (function, name) == ("zoom", "on_step")
]


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


SENTENCES: dict[str, tuple[Callable[[], Any], type[dreamer.DreamerError], str]] = {
    "returns": (lambda: dream(returns="png"), dreamer.UsageError, "returns: 'png' is not one of pil, tensor, array"),
    "several": (
        lambda: visualize(count=0, facets=2.5),
        dreamer.UsageError,
        "count: 0 is not a whole number of at least 1\nfacets: 2.5 is not a whole number of at least 1",
    ),
    "keep": (lambda: dream(keep=[9]), dreamer.UsageError, "keep: expected numbers of steps from 1 to 1"),
    "keep of the photo": (lambda: dream(keep=0.7), dreamer.UsageError, "not 0.7; what stays of the photo is spare=0.7"),
    "steps twice": (lambda: dream(steps=2), dreamer.UsageError, "steps: octaves has them as well; leave one of them"),
    "two numbers": (lambda: visualize(count=3, facets=2), dreamer.RecipeError, "count, facets: each is the number"),
    "layer": (lambda: dream(layer="three"), dreamer.NetworkError, "tiny has no layer 'three'; `network.layers()`"),
    "features": (
        lambda: features(layers=["three"]),
        dreamer.NetworkError,
        "tiny has no layer 'three'; `network.layers(",
    ),
    "objective": (lambda: visualize(objective=lambda f: f["three"]), dreamer.NetworkError, "tiny has no layer 'three'"),
    "a text": (lambda: features(layers="two"), dreamer.UsageError, "layers: 'two' is not a list of layers' names"),
    "small": (
        lambda: wrap(nn.Sequential(nn.Conv2d(3, 4, 9))).features(torch.zeros(1, 3, 7, 8), ["0"]),
        dreamer.NetworkError,
        "8x7 pixels are too small for",
    ),
    "weights": (lambda: dream(weights="a.pth"), dreamer.UsageError, "weights: they are for a network's name"),
    "text": (lambda: wrap(mean="abc"), dreamer.UsageError, "mean: 'abc' is not three numbers, for red, green and blue"),
    "of 255": (lambda: wrap(mean=(123.7, 116.8, 103.9)), dreamer.UsageError, "blue, of pictures from 0 to 1"),
    "std of 255": (lambda: wrap(std=(58.4, 57.1, 57.4)), dreamer.UsageError, "blue, of pictures from 0 to 1"),
    "labels": (
        lambda: visualize(wrap(layered(), labels=["a", "b"]), "a"),
        dreamer.RecipeError,
        "Sequential has no layer of classes: it has 2 labels, and its last layer 4; use channel or neuron",
    ),
    "labels by number": (lambda: wrap(labels={0: "a"}), dreamer.UsageError, "is not a list of names"),
    "std": (lambda: wrap(std=(1, 0, 1)), dreamer.UsageError, "std: (1, 0, 1) is not three numbers other than 0"),
    "two steps": (
        lambda: zoom(on_step=lambda step: None),
        dreamer.UsageError,
        "is not a function of a keyframe's number",
    ),
    "zoom": (lambda: zoom(seconds=0), dreamer.UsageError, "seconds=0.0: expected a number above 0"),
    "centre": (lambda: zoom(centre=(3, 0)), dreamer.UsageError, "centre=(3.0, 0.0): expected two numbers from 0 to 1"),
    "keyframes": (lambda: zoom(keyframes=[3]), dreamer.RecipeError, "expected a list of dicts, as in [{'time': 5"),
    "guide": (lambda: dream(objectives=["guided"]), dreamer.UsageError, "to be guided by: guide='PICTURE'"),
    "pixels": (lambda: dream(max_pixels=100), dreamer.PhotoError, "raise the limit with max_pixels"),
    "prior": (
        lambda: dream(priors=[lambda i: 3]),
        dreamer.PluginError,
        "prior function: it must give one number that depends",
    ),
    "prior of nothing": (lambda: dream(priors=[lambda: 3]), dreamer.PluginError, "<lambda> takes no tensor"),
    "filter": (lambda: dream(gradient_filters=[lambda g: g[0]]), dreamer.PluginError, "a tensor of the same shape"),
    "nowhere": (lambda: dream(seed=closed()), dreamer.RecipeError, "seed: a BytesIO can stand in no recipe"),
    "lambda": (lambda: register(name=None), dreamer.UsageError, "name: '<lambda>' cannot be one"),
    "picture": (
        lambda: visualize(objective=dreamer.channel("two", 1, picture=2)),
        dreamer.UsageError,
        "picture: there are pictures 0 to 0 here, and no 2",
    ),
    "neuron": (
        lambda: visualize(objective=dreamer.neuron("two", 1, 99, 0)),
        dreamer.UsageError,
        "neuron: two has rows 0 to 9 and columns 0 to 9 here, and no row 99, column 0",
    ),
    "neuron's channel": (
        lambda: visualize(objective=dreamer.neuron("two", 99)),
        dreamer.UsageError,
        "neuron: two has channels 0 to 15, and no 99",
    ),
    "nothing": (lambda: dreamer.channel("two", 1) / 0, dreamer.UsageError, "a term cannot be divided by zero"),
    "another's": (lambda: zoom(keep=(1,)), dreamer.RecipeError, "keep: unknown key"),
    "classes": (
        lambda: visualize(wrap(nn.Sequential(nn.Conv2d(3, 4, 3))), "lion"),
        dreamer.RecipeError,
        "use channel or neuron instead",
    ),
    "first layer": (lambda: visualize(objective="twoo", channel=1), dreamer.NetworkError, "tiny has no layer 'twoo'"),
    "layer and channel": (lambda: visualize(objective="twoo:1"), dreamer.NetworkError, "did you mean two?"),
    "layer alone": (lambda: visualize(wrap(layered()), "layer9"), dreamer.NetworkError, "did you mean layer4?"),
    "objective and channel": (
        lambda: visualize(objective="deepdream", channel=1),
        dreamer.RecipeError,
        "objective, channel, neuron, direction: give one of them",
    ),
    "tiles": (
        lambda: visualize(redirect=9, size=96, tile=32),
        dreamer.UsageError,
        "use tile=0, a smaller size, or redirect=0",
    ),
    "preset": (lambda: dream(preset=3), dreamer.UsageError, "preset: 3 is not a name, a TOML file or a Preset"),
    "misspelt": (lambda: dream(presett="bloom"), dreamer.RecipeError, "presett: unknown key; did you mean preset?"),
    "of a zoom": (lambda: zoom(secnds=1), dreamer.RecipeError, "secnds: unknown key; did you mean seconds?"),
    "octaves": (lambda: dream(octaves=3), dreamer.RecipeError, "octaves: expected a dict, as in octaves={...}"),
    "list": (lambda: dream(priors=3), dreamer.RecipeError, "priors: expected a list of names, dicts or functions"),
    "raised": (lambda: dream(device="gpu"), dreamer.UsageError, "device: 'gpu' is not one of auto, cpu, cuda, mps"),
}


@pytest.mark.parametrize("kind", SENTENCES)
def test_one_fault_has_one_class_and_a_sentence_in_pythons_words(kind: str) -> None:
    call, error, sentence = SENTENCES[kind]
    with pytest.raises(error) as caught:
        call()
    assert sentence in str(caught.value) and "--" not in str(caught.value)


AT_ONCE: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "dream": (
        lambda: dreamer.dream("no.png", preset="blooom", regions=[("top", "keep"), ("x.png", 3)], strength="a"),
        ("no.png", "blooom", "regions[1]", "strength"),
    ),
    "recipe": (lambda: dreamer.dream("no.png", strenght=1, seed="a"), ("no.png", "strenght", "seed")),
    "fetching": (
        lambda: dreamer.dream("no.png", guide="nog.png", network="squeezenet1_1", fetch=True, strength="a"),
        ("no.png", "nog.png", "strength"),
    ),
    "no network": (lambda: dreamer.dream(PHOTO, network=3, strength=9), ("network", "strength")),
    "walk's photo": (lambda: dreamer.walk(["bloom", "gaze"], "no.png", network=3), ("no.png", "network")),
    "visualize": (lambda: dreamer.visualize(NETWORK, photo="no.png", guide="nog.png"), ("no.png", "nog.png")),
    "enlarge": (lambda: dreamer.enlarge("no.png", size=64, preset="blooom"), ("no.png", "blooom")),
    "zoom": (lambda: dreamer.zoom(PHOTO, seconds=-1, rate=0, strenght=2), ("seconds", "rate", "strenght")),
    "video": (lambda: dreamer.video("no.mp4", drives=3, strenght=2), ("no.mp4", "drives", "strenght")),
    "loop": (lambda: dreamer.loop(PHOTO, seeds=0, fps=0, seconds=-1), ("seeds", "fps", "seconds")),
    "walk": (
        lambda: dreamer.walk(["bloom"], PHOTO, fps=0, seconds=-1, size=-4, stability=9),
        ("a walk has 2 to 32", "fps", "seconds", "size", "stability"),
    ),
    "walk's looks": (lambda: dreamer.walk(["a", "b"], "no.png", strenght=2), ("no.png", "'a'", "'b'", "strenght")),
}


@pytest.mark.parametrize("name", AT_ONCE)
def test_all_mistakes_are_told_at_once(name: str) -> None:
    call, words = AT_ONCE[name]
    with pytest.raises(dreamer.UsageError) as caught:
        call()
    found = [problem for word in words for problem in caught.value.problems if word in problem]
    assert len({*found}) >= len(words) and len(caught.value.problems) == len(words), caught.value.problems


def test_numpys_whole_numbers_are_whole_numbers() -> None:
    one = np.int64(1)
    assert len([*dreamer.loop(PHOTO, seeds=one, seconds=0.1, fps=10, **FEW)]) == 1
    assert len(dreamer.sweep(PHOTO, variations=one, **FEW)) == 1


def test_the_same_sentences_name_options_on_the_command_line(tmp_path: Path) -> None:
    assert (argument("tile", 0, "none"), setting("canvas", "frequencies", 6)) == ("tile=0", "canvas={'frequencies': 6}")
    with options_named():
        assert argument("tile", 0, "none") == "--tile none" and argument("max_pixels") == "--max-pixels"
        assert setting("optimiser", "diagonal", True) == "--set optimiser.diagonal=true"
    photo = tmp_path / "a.png"
    PHOTO.save(photo)
    for words, sentence in (
        (["--max-pixels", "100"], "raise the limit with --max-pixels"),
        (["--set", "objectives=3"], "objectives: expected a list of tables, as in [[objectives]]"),
        (["--network", "reverie", "--layer", "m9"], "`dreamer networks layers reverie` lists them"),
        (["--set", "objectives.guided.layer=m4b", "--set", "objectives.deepdream.weight=0"], "--guide PICTURE"),
    ):
        ran = command(photo, *words)
        assert ran.code == 2 and sentence in ran.err, ran.err


def test_errors_can_be_caught_by_the_names_that_dreamer_exports() -> None:
    import dreamer.errors

    errors = {
        name
        for name, value in vars(dreamer.errors).items()
        if isinstance(value, type) and issubclass(value, BaseException)
    }
    assert errors <= {*dreamer.__all__} and all(name in (dreamer.errors.__doc__ or "") for name in errors)
