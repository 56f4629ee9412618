"""What a researcher hands over in Python, and gets back."""

from __future__ import annotations

import functools
import json
import sys
import textwrap
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from command import forged, pixels, refused, render, stamp_of
from PIL import Image
from torch import Tensor, nn

import dreamer
from dreamer.api.changes import Changes, UnitChanges, ZoomChanges
from dreamer.api.names import loaded_registry
from dreamer.networks.reverie import reverie
from dreamer.recipes.recipe import Octaves, Recipe
from dreamer.testing.tiny import tiny_network
from dreamer.videos.zoom.zoom import Zoom

PHOTO = Image.fromarray(pixels())
FEW: Any = {"octaves": {"count": 1, "steps": 2}}
SMALL: Any = {"size": 40, "steps": 2}


@pytest.fixture
def own_names() -> Iterator[None]:
    yield
    loaded_registry.cache_clear()


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3))


def test_a_channel_of_a_module_is_seen_in_one_line() -> None:
    net = model()
    (first,) = dreamer.visualize(net, "2", channel=3, **SMALL)
    (second,) = dreamer.visualize(dreamer.Network.wrap(net), layer="2", channel=np.int64(3), **SMALL)
    assert first.size == (40, 40) and first.tobytes() == second.tobytes()
    assert dreamer.visualize(net, "0", **SMALL)[0].tobytes() != dreamer.visualize(net, "2", **SMALL)[0].tobytes()
    assert dreamer.visualize(net, "2:3", **SMALL)[0].tobytes() == first.tobytes()
    named = nn.Sequential(OrderedDict(layer3=net[0], layer4=net[2]))
    assert len(dreamer.visualize(named, "layer4:3", **SMALL)) == 1
    assert dreamer.dream(PHOTO, network=net, layer="0", **FEW).size == PHOTO.size


def test_several_networks_look_at_one_picture() -> None:
    nets = {"a": model(), "b": tiny_network()}
    image = torch.rand(1, 3, 40, 40)
    seen: list[tuple[Tensor, Tensor]] = []

    def both(f: Any) -> Any:
        seen.append((f["a.2"].detach(), f["b.two"].detach()))
        return f["a.2"][:, 3].mean() + f["b.two"][:, 1].mean()

    (picture,) = dreamer.visualize(nets, both, **SMALL)
    assert picture.size == (40, 40) and seen[-1][0].abs().sum() > 0 and seen[-1][1].abs().sum() > 0
    from dreamer.api.values import network_of

    joint = network_of(nets)
    assert isinstance(joint, dreamer.Network)
    alone = {"a": dreamer.Network.wrap(nets["a"]), "b": tiny_network()}
    for name, layer in (("a", "2"), ("b", "two")):
        found, expected = joint.features(image, [f"{name}.{layer}"]), alone[name].features(image, [layer])
        torch.testing.assert_close(found[f"{name}.{layer}"], expected[layer])


def test_several_networks_that_know_the_same_classes_know_them_by_name() -> None:
    def net(*labels: str, seed: int = 0) -> dreamer.Network:
        torch.manual_seed(seed)
        module = torch.nn.Sequential(torch.nn.Conv2d(3, len(labels), 3), torch.nn.ReLU())
        return dreamer.Network.wrap(module, labels=labels)

    nets = {"a": net("cat", "lion"), "b": net("cat", "lion", seed=1)}
    (named,), (numbered,) = (dreamer.visualize(nets, name, layer="b.0", **SMALL) for name in ("lion", "1"))
    assert named.tobytes() == numbered.tobytes()
    with pytest.raises(dreamer.DreamerError, match="lion"):
        dreamer.visualize({**nets, "b": net("lion", "cat")}, "lion", layer="b.0", **SMALL)


@pytest.mark.parametrize("kind", ["dream", "visualize", "zoom"])
def test_what_is_returned_is_of_the_wished_kind(kind: str) -> None:
    def made(returns: Any) -> Any:
        network = tiny_network()
        if kind == "visualize":
            return dreamer.visualize(network, channel=1, returns=returns, **SMALL)[0]
        if kind == "zoom":
            return next(dreamer.zoom(PHOTO, network=network, seconds=0.5, fps=4, returns=returns, **FEW))
        return dreamer.dream(PHOTO, network=network, returns=returns, **FEW)

    tensor, array, picture = made("tensor"), made("array"), made("pil")
    assert tensor.dtype == torch.float32 and tensor.shape[0] == 3 and 0 <= tensor.min() and tensor.max() <= 1
    assert array.dtype == np.uint8 and np.array_equal(array, np.asarray(picture))
    assert np.abs(tensor.permute(1, 2, 0).numpy() * 255 - array).max() <= 0.51
    assert len(np.unique((tensor * 255) % 1)) > 100  # nothing is rounded
    with pytest.raises(dreamer.UsageError, match="returns: 'png' is not one of pil, tensor, array"):
        made("png")


def test_a_step_has_its_picture() -> None:
    kept: dict[int, Tensor] = {}

    def keep(step: dreamer.Step) -> None:
        kept[step.octave, step.number] = step.picture()  # type: ignore[index]

    words: Any = {"network": tiny_network(), "octaves": {"count": 2, "steps": 2}}
    last = dreamer.dream(PHOTO, on_step=keep, returns="tensor", **words)
    assert [*kept] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert all(picture.shape == (1, 3, 72, 96) for picture in kept.values())
    torch.testing.assert_close(kept[1, 1][0], last, atol=1e-6, rtol=0)  # type: ignore[index]
    assert not torch.equal(kept[1, 0], kept[1, 1])  # type: ignore[index]


def test_functions_stand_in_the_lists_of_names() -> None:
    called: set[str] = set()

    def mirror(image: Tensor, *, down: bool = False) -> Tensor:
        called.add("mirror")
        return image.flip(-2 if down else -1)

    def calm(image: Tensor) -> Tensor:
        called.add("calm")
        return image.diff(dim=-1).square().mean()

    def halved(gradient: Tensor) -> Tensor:
        called.add("halved")
        return gradient / 2

    def third(features: Tensor) -> Tensor:
        called.add("third")
        return features[:, 3]

    words: Any = {"network": tiny_network(), **FEW}
    dreamer.dream(
        PHOTO,
        objectives=[third, {"name": "deepdream", "weight": 0.5}],
        transforms=["jitter", mirror],
        priors=[calm],
        gradient_filters=["laplacian", halved],
        **words,
    )
    assert called == {"mirror", "calm", "halved", "third"}
    assert "mirror" not in dreamer.api.registry().ingredients["transforms"].names()  # type: ignore[attr-defined]
    one, two = (
        dreamer.dream(PHOTO, transforms=[lambda image: image.flip(-1), wave], **words) for wave in (mirror, calm_wave)
    )
    assert one.tobytes() != two.tobytes()


def calm_wave(image: Tensor) -> Tensor:
    return image.roll(5, -1)


def test_an_ingredient_can_be_registered_and_written_anew(own_names: None) -> None:
    def shift(image: Tensor, *, by: int = 1) -> Tensor:
        return image.roll(by, -1)

    words: Any = {"network": tiny_network(), **FEW}
    dreamer.register(shift, "transforms")
    first = dreamer.dream(PHOTO, transforms=[{"name": "shift", "by": 9}], **words)
    dreamer.register(calm_wave, "transforms", "shift")
    assert dreamer.dream(PHOTO, transforms=["shift"], **words).tobytes() != first.tobytes()
    with pytest.raises(dreamer.UsageError, match="no kind 'transform' of ingredients; did you mean transforms"):
        dreamer.register(shift, "transform")
    with pytest.raises(dreamer.PluginError, match="dreamer has its own"):
        dreamer.register(shift, "transforms", "jitter")


def test_plugins_can_be_loaded_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_names: None) -> None:
    def written(name: str) -> None:
        (tmp_path / "anew_plugin.py").write_text(
            textwrap.dedent(f"""
                import dreamer

                def {name}(image):
                    return image.square().mean()

                @dreamer.hookimpl
                def register_priors(register):
                    register({name})
            """)
        )

    written("tilt")
    about = tmp_path / "anew_plugin-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: anew-plugin\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[dreamer]\nanew = anew_plugin\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("DREAMER_PLUGINS", "anew")
    names = dreamer.api.registry  # type: ignore[attr-defined]
    dreamer.reload_plugins()
    assert "tilt" in names().ingredients["priors"].names()
    written("lean")
    assert "lean" not in names().ingredients["priors"].names()
    dreamer.reload_plugins()
    assert {"tilt", "lean"} & {*names().ingredients["priors"].names()} == {"lean"}


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


MODES = {
    "deterministic": deterministic,
    "anomaly": lambda: torch.autograd.set_detect_anomaly(True),
    "no_grad": torch.no_grad,
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "device": lambda: torch.device("meta"),
}


@pytest.mark.parametrize("mode", [*MODES, "float64"])
def test_torchs_modes_change_no_picture(mode: str) -> None:
    def made() -> list[bytes]:
        network = dreamer.Network.wrap(net)
        return [
            dreamer.dream(PHOTO, network=network, layer="0", **FEW).tobytes(),
            dreamer.visualize(network, lambda f: f["2"][:, 1].mean(), **SMALL)[0].tobytes(),
            next(dreamer.zoom(PHOTO, network=network, layer="0", seconds=0.5, fps=4, **FEW)).tobytes(),
        ]

    net = model()
    plain = made()
    if mode == "float64":
        torch.set_default_dtype(torch.float64)
        try:
            assert made() == plain and torch.get_default_dtype() == torch.float64
        finally:
            torch.set_default_dtype(torch.float32)
        return
    with MODES[mode]():
        if mode == "inference":
            net = model()  # whose weights can be used for inference alone
        assert made() == plain


def test_features_can_be_differentiated_by_torchs_functions() -> None:
    network, image = tiny_network(), torch.rand(2, 3, 24, 24)

    def score(image: Tensor) -> Tensor:
        return network.features(image, ["two"])["two"].square().mean()

    leaf = image.clone().requires_grad_()
    (expected,) = torch.autograd.grad(score(leaf), leaf)
    torch.testing.assert_close(torch.func.grad(score)(image), expected)
    slopes = torch.func.jacrev(lambda image: network.features(image, ["two"])["two"].mean((2, 3)))(image[:1])
    torch.testing.assert_close(
        slopes[0, 3], torch.func.grad(lambda x: network.features(x, ["two"])["two"][0, 3].mean())(image[:1])
    )


def test_pictures_are_kept_after_some_steps() -> None:
    words: Any = {"network": tiny_network(), "octaves": {"count": 2, "steps": 2}}
    seen: list[Tensor] = []
    kept = dreamer.dream(PHOTO, keep=range(1, 4), returns="tensor", on_step=lambda s: seen.append(s.picture()), **words)
    assert [*kept] == [1, 2, 3, 4] and torch.equal(kept[4], dreamer.dream(PHOTO, returns="tensor", **words))
    for number in (1, 2, 3):
        torch.testing.assert_close(kept[number], seen[number - 1][0], atol=1e-6, rtol=0)
    pictures = dreamer.dream(PHOTO, keep=np.array([2, 4]), **words)
    assert [*pictures] == [2, 4] and pictures[2].size == PHOTO.size
    assert pictures._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    assert [*dreamer.dream(PHOTO, keep=(), **words)] == [4]

    several = dreamer.visualize(tiny_network(), channel=1, count=2, size=40, steps=3, keep=(1, 2))
    assert [(step, len(pictures)) for step, pictures in several.items()] == [(1, 2), (2, 2), (3, 2)]
    alone = dreamer.visualize(tiny_network(), channel=1, count=2, size=40, steps=3)
    assert [one.tobytes() for one in several[3]] == [one.tobytes() for one in alone]
    with pytest.raises(dreamer.UsageError, match=r"keep: expected numbers of steps from 1 to 3, as in \(1, 3\), not"):
        dreamer.visualize(tiny_network(), channel=1, size=40, steps=3, keep=(4,))


def test_a_function_that_cannot_be_registered_leaves_the_one_that_was() -> None:
    def steady(image: Tensor, *, power: float = 1.0) -> Tensor:
        return image.mean() * power

    def wrong(image, *, power):  # type: ignore[no-untyped-def]
        return image.mean()

    dreamer.register(steady, "priors", "steady")
    with pytest.raises(dreamer.PluginError, match="power"):
        dreamer.register(wrong, "priors", "steady")
    words: Any = {"network": tiny_network(), "octaves": {"count": 1}, "steps": 1}
    dreamer.dream(PHOTO, priors=[{"name": "steady", "weight": 0.1, "power": 2.0}], **words)


def _with_unknown_types(image: NotKnown, *, photo: NotKnown, pixels: int = 2) -> NotKnown:  # type: ignore[name-defined] # noqa: F821
    return image.roll(pixels, 3)


def _scaled(image: Tensor, by: float) -> Tensor:
    return image * by


def _of_two(seen: Tensor, other: Tensor, /) -> Tensor:
    return seen.mean(1)


@pytest.mark.parametrize(
    "words",
    [
        {"transforms": [functools.partial(torch.roll, shifts=3, dims=3)]},
        {"transforms": [torchvision.transforms.RandomRotation(10)]},
        {"transforms": [functools.partial(_scaled, by=0.5)]},
        {"transforms": [torchvision.transforms.Compose([torchvision.transforms.RandomHorizontalFlip()])]},
        {"transforms": [torch.relu]},
        {"transforms": [{"name": _with_unknown_types, "pixels": 3}]},
        {"optimiser": torch.optim.Adam, "canvas": {"name": "fourier"}},
        {"optimiser": {"name": torch.optim.SGD, "maximize": False}},
        {"priors": [{"name": lambda image: image.mean(), "weight": 0.1}]},
    ],
)
def test_whatever_can_be_called_with_a_tensor_is_an_ingredient(words: dict[str, Any]) -> None:
    few: dict[str, Any] = {"network": tiny_network(), "octaves": {"count": 1}, "steps": 1, "returns": "tensor"}
    assert not torch.equal(dreamer.dream(PHOTO, **words, **few), dreamer.dream(PHOTO, strength=0.0, **few))


def _of_no_known_type(features: Tensor, *, power: NotKnown = 1) -> Tensor:  # type: ignore[name-defined] # noqa: F821
    return features.mean(1)


@pytest.mark.parametrize(
    ("objective", "told"),
    [
        (lambda features, photo: features.mean(1), "needs photo beside its tensor; put a bare"),
        (_of_two, "_of_two needs other beside its tensor"),
        (_of_no_known_type, "the type of option power is not known when it runs"),
        (dreamer.channel("two", 1), "a term of features stands alone"),
    ],
)
def test_what_is_no_ingredient_is_told(objective: Any, told: str) -> None:
    with pytest.raises(dreamer.DreamerError, match=told):
        dreamer.dream(PHOTO, network=tiny_network(), objectives=[objective])


def test_a_picture_that_dreamer_made_is_a_preset_of_its_recipe(tmp_path: Path) -> None:
    PHOTO.save(source := tmp_path / "photo.png")
    look = ("--set", "octaves.count=1", "--set", "octaves.steps=1", "--seed", "7", "--threads", "1")
    assert render(source, *look, "-o", tmp_path / "made.png").code == 0
    again = dreamer.dream(source, preset=tmp_path / "made.png")
    assert again.tobytes() == Image.open(tmp_path / "made.png").tobytes()
    with pytest.raises(dreamer.UsageError, match="there is no recipe inside"):
        dreamer.dream(source, preset=str(source))
    refused(render(source, "--preset", tmp_path / "made.png"), "a preset is a name or a .toml file; --recipe takes")


def test_looks_of_a_walk_may_have_functions() -> None:
    looks: Any = [{"objectives": [lambda seen: seen.mean(1)]}, {"objectives": [{"name": lambda seen: seen.amax(1)}]}]
    words: Any = {"network": tiny_network(), "octaves": {"count": 1}, "steps": 1, "seconds": 0.1, "fps": 20}
    assert len([*dreamer.walk(looks, PHOTO, **words)]) == 2


def test_a_preset_that_grows_in_no_region_is_a_warning() -> None:
    words: Any = {"network": reverie(), "octaves": {"count": 1}, "steps": 1}
    told = "preset bloom: each region has a look of its own"
    with pytest.warns(UserWarning, match=f"{told}.* a region whose look is None"):
        dreamer.dream(PHOTO, preset="bloom", regions=[("top", "agate")], **words)
    dreamer.dream(PHOTO, preset="dreamer-art:bloom", regions=[("top", "bloom")], **words)


def test_a_picture_whose_plugin_is_missing_says_where_it_came_from(tmp_path: Path) -> None:
    PHOTO.save(source := tmp_path / "photo.png")
    assert render(source, "--set", "octaves.count=1", "--set", "octaves.steps=1").code == 0
    made = tmp_path / "photo-dream.png"
    stamp = stamp_of(made) | {"plugins": {"dreamer-gone": "1"}, "origins": {"dreamer-gone": "folder"}}
    forged(made, json.dumps(stamp))
    with pytest.raises(dreamer.RecipeError, match=r"dreamer-gone.*it came from a folder") as caught:
        dreamer.dream(source, preset=made)
    assert "plugins install" not in str(caught.value)


def test_what_is_done_otherwise_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "look.toml").write_text(
        'schema = 1\nnetwork = "vgg16"\n[[objectives]]\nname = "deepdream"\nlayer = "conv9"\n'
    )
    with pytest.warns(UserWarning, match="tiny has no layer conv9; its default layer") as told:
        dreamer.dream(PHOTO, preset=tmp_path / "look.toml", network=tiny_network(), octaves={"count": 1}, steps=1)
    assert [warning.filename for warning in told] == [__file__]


def _small(image: Tensor) -> dreamer.Canvas:
    values = torch.zeros(1, 3, 8, 8, requires_grad=True)
    return dreamer.Canvas((values,), values.sigmoid)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"transforms": [lambda image: image.detach()]}, "transform function: it must give a picture .* that depends"),
        ({"objectives": [lambda seen: seen.detach().mean(1)]}, "objective function: .* that depend on the features"),
        ({"canvas": _small}, r"canvas _small: it must give a canvas whose paint\(\) gives a tensor \(1, 3, "),
    ],
)
def test_what_leads_nowhere_is_called_by_its_name(words: dict[str, Any], told: str) -> None:
    with pytest.raises(dreamer.PluginError, match=told):
        dreamer.dream(PHOTO, network=tiny_network(), octaves={"count": 1}, steps=1, **words)


def test_terms_have_a_sum() -> None:
    words: Any = {"size": 40, "steps": 1, "returns": "tensor"}
    one, other = dreamer.channel("two", 1), dreamer.channel("two", 2)
    (found,), (same,) = (dreamer.visualize(tiny_network(), term, **words) for term in (sum([one, other]), one + other))
    assert torch.equal(found, same)


def _nan(given: Tensor) -> Tensor:
    return given * float("nan")


def _steep(image: Tensor) -> Tensor:
    """A prior whose value is finite and whose slope is not: the root of the variation of a flat picture."""
    return (image[..., 1:] - image[..., :-1]).square().sum().mul(0).sqrt()


NOT_FINITE: dict[str, tuple[dict[str, Any], str]] = {
    "prior": ({"priors": [_steep]}, "prior _steep made the picture NaN"),
    "filter": ({"gradient_filters": [_nan]}, "gradient filter _nan made the picture NaN"),
    "transform": ({"transforms": [_nan]}, "transform _nan made the picture NaN"),
    "update": ({"updates": [_nan]}, "update _nan made the picture NaN"),
    "objective": ({"objectives": [lambda f: f.mean(1) * float("nan")]}, "function at layer .* gave nan"),
    "optimiser": (
        {"canvas": "pixels", "optimiser": lambda parameters: torch.optim.SGD(parameters, lr=float("inf"))},
        "the picture became NaN or infinite, by its canvas or its optimiser",
    ),
}


@pytest.mark.parametrize("kind", NOT_FINITE)
def test_a_picture_that_became_nan_in_its_last_step_is_none_and_its_ingredient_is_named(kind: str) -> None:
    words, told = NOT_FINITE[kind]
    with pytest.raises(dreamer.NotFiniteError, match=told):
        dreamer.dream(PHOTO, network=tiny_network(), octaves={"count": 1}, steps=1, **words)


def test_what_was_kept_comes_with_the_interrupt() -> None:
    def stop(step: dreamer.Step) -> None:
        if (step.octave, step.number) == (1, 0):
            raise KeyboardInterrupt

    words: Any = {"network": tiny_network(), "octaves": {"count": 2, "steps": 2}}
    with pytest.raises(dreamer.Interrupted) as caught:
        dreamer.dream(PHOTO, keep=(1, 4), on_step=stop, **words)
    assert [*caught.value.picture] == [1, 3]
    kept = dreamer.dream(PHOTO, keep=(1, 3), **words)
    assert all(caught.value.picture[number].tobytes() == kept[number].tobytes() for number in (1, 3))


def test_what_transforms_make_is_found_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from dreamer.pipeline import session

    counted: list[int] = []
    found = session.demand_of
    monkeypatch.setattr(session, "demand_of", lambda *given: (counted.append(1), found(*given))[1])
    dreamer.visualize(tiny_network(), lambda f: f["two"].mean(), **SMALL)
    assert counted == [1]


def test_pictures_of_a_batch_can_be_addressed_and_octaves_are_named() -> None:
    network = tiny_network()
    one, two = dreamer.visualize(network, lambda f: f["two"][0, 3].mean() + f["two"][1, 5].mean(), count=2, **SMALL)
    assert one.tobytes() != two.tobytes()
    with pytest.raises(dreamer.UsageError, match=r"an octave of \d+x\d+ pixels lacks .*octaves=\{'count': 1\}"):
        dreamer.visualize(network, lambda f: f["two"][0, 3, 20, 20], size=100, steps=1)
    dreamer.visualize(network, lambda f: f["two"][0, 3, 20, 20], size=100, steps=1, octaves={"count": 1})
    asked = []
    dreamer.visualize(network, lambda f: (asked.append("x" in f), f["two"].mean())[1], **SMALL)
    assert not any(asked)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "precision": ({"precision": "float64"}, "precision: 'float64' is not one of auto, float32, bfloat16"),
    "tile": ({"tile": "a"}, "tile: 'a' is not a number of pixels from 32, nor 0 for none"),
    "small tile": ({"tile": -5}, "tile: -5 is not a number of pixels"),
    "network": ({"network": [1, 2]}, "network: expected a name, a Network or a torch module, not \\[1, 2\\]"),
    "direction": (
        {"direction": np.zeros((2, 2))},
        r"direction: expected a number for each channel, \(C,\), not of shape \(2, 2\)",
    ),
    "neuron": ({"neuron": "a"}, "neuron: expected a channel, or a channel, a row and a column, not 'a'"),
    "behind": ({"neuron": (1, -1, -1)}, "neuron: channels, rows and columns are counted from 0"),
    "channel": ({"channel": -1}, "channel: channels are counted from 0, not -1"),
    "digits": ({"objective": "two:" + "9" * 5000, "layer": None}, "layer two of tiny has channels 0 to"),
    "layer": ({"layer": nn.ReLU()}, "layer: a ReLU is not a layer's name, as in 'layer3'"),
    "function": ({"objective": lambda f: f["two"].mean(), "layer": "two"}, "layer: a function reads its layers itself"),
    "shape": ({"objective": lambda f: f["two"][0, :7, 0, 0]}, r"it returned a tensor of shape \(7,\)"),
    "objective": ({"objective": 3}, "objective: expected a name, a dict, a list or a function, not 3"),
    "canvas": ({"canvas": 3}, "canvas: "),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_makes_no_sense_is_said_in_a_sentence(kind: str) -> None:
    words, sentence = WRONG[kind]
    with pytest.raises(dreamer.UsageError, match=sentence):
        dreamer.visualize(**{"network": tiny_network(), **SMALL, **words})


def test_numbers_may_be_numpys() -> None:
    network = tiny_network()
    own: Any = {
        "seed": np.int64(3),
        "size": np.int32(48),
        "strength": np.float32(0.5),
        "octaves": {"steps": np.int8(1)},
    }
    assert dreamer.dream(PHOTO, network=network, **own).size == (48, 36)
    (one,) = dreamer.visualize(network, neuron=np.array([1, 2, 3]), **SMALL)
    (two,) = dreamer.visualize(network, neuron=(1, 2, 3), **SMALL)
    assert one.tobytes() == two.tobytes()
    item = {"name": "channel", "index": [np.int64(3)]}
    assert len(dreamer.visualize(network, item, device=torch.device("cpu"), **SMALL)) == 1  # type: ignore[call-overload]


def test_a_features_image_of_another_shape_is_refused() -> None:
    for shape in ((3, 20, 20), (1, 1, 20, 20)):
        with pytest.raises(dreamer.NetworkError, match=r"image: expected a tensor \(B, 3, H, W\)"):
            tiny_network().features(torch.rand(shape), ["two"])


def test_the_keys_that_editors_know_are_a_recipes() -> None:
    recipe = {*Recipe.__dataclass_fields__} - {"network", "regions"}  # arguments of their own
    assert Changes.__annotations__.keys() == recipe
    assert UnitChanges.__annotations__.keys() == recipe - {"canvas", "optimiser"}
    assert ZoomChanges.__annotations__.keys() == recipe - {"size"} | {*Zoom.__dataclass_fields__}
    assert Changes.__annotations__["octaves"] and {*Octaves.__dataclass_fields__}


def test_every_name_of_dreamer_is_what_it_says_once_everything_is_imported() -> None:
    """No package hides a function of the same name."""
    import pkgutil

    for module in pkgutil.walk_packages(dreamer.__path__, "dreamer."):
        if not module.name.endswith("__main__"):
            __import__(module.name)
    for name in dreamer.__all__:
        assert not isinstance(getattr(dreamer, name), type(sys)), name


def test_objectives_add_and_scale() -> None:
    network = tiny_network()
    f = network.features(torch.rand(2, 3, 40, 40), ["one", "two"])
    both = 2 * dreamer.channel("two", 3) - dreamer.channel("one", 1) / 4 + dreamer.neuron("two", 2)
    expected = 2 * f["two"][:, 3].mean((1, 2)) - f["one"][:, 1].mean((1, 2)) / 4 + f["two"][:, 2, 5, 5]
    torch.testing.assert_close(both(f), expected)
    vector = torch.arange(16.0)
    torch.testing.assert_close(
        dreamer.direction("two", vector)(f), torch.einsum("c,bchw->bhw", vector, f["two"]).mean((1, 2))
    )
    torch.testing.assert_close(dreamer.channel("two", 3, picture=1)(f), f["two"][1, 3].mean())
    apart = dreamer.channel("two", 3, picture=0) + dreamer.channel("two", 5, picture=1)
    assert len(dreamer.visualize(network, apart, count=2, **SMALL)) == 2
    with pytest.raises(dreamer.UsageError, match="two has channels 0 to 15, and no 16"):
        dreamer.visualize(network, dreamer.channel("two", 16), **SMALL)
    with pytest.raises(dreamer.UsageError, match="it has 3 numbers, and layer two has 16 channels"):
        dreamer.visualize(network, dreamer.direction("two", [1, 2, 3]), **SMALL)


def test_a_notebook_shows_sheets_and_short_mistakes() -> None:
    pictures = dreamer.visualize(tiny_network(), channel=1, count=3, **SMALL)
    assert len(pictures) == 3 and pictures._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    assert pictures[:0] == []
    with pytest.raises(dreamer.UsageError) as caught:
        dreamer.dream(PHOTO, colr=1)  # type: ignore[call-overload]
    assert caught.value._render_traceback_() == ["RecipeError: colr: unknown key; did you mean colour?"]
