"""dreamer for Python programs."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import made
from command import photo, pixels, render
from PIL import Image

import dreamer
from dreamer.engine.step import Step
from dreamer.errors import UsageError
from dreamer.image import load
from dreamer.networks.network import Network
from dreamer.pipeline.build import build
from dreamer.plugins.loading import load_plugins
from dreamer.testing.tiny import tiny_network

STEP = {"steps": 1}


def test_importing_dreamer_imports_nothing_heavy() -> None:
    script = (
        "import sys, dreamer\n"
        "dir(dreamer), dreamer.__version__, dreamer.hookimpl, dreamer.DreamerError\n"
        "heavy = {'torch', 'torchvision', 'numpy', 'PIL', 'click', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_all_names_what_there_is() -> None:
    assert sorted(dreamer.__all__) == dir(dreamer)
    for name in dreamer.__all__:
        assert getattr(dreamer, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'dreem'"):
        dreamer.dreem  # noqa: B018


@pytest.mark.parametrize("kind", [str, Path, Image.Image])
def test_a_path_or_a_picture_in_and_a_picture_out(tmp_path: Path, kind: type) -> None:
    path = photo(tmp_path / "a.png")
    source = Image.open(path) if kind is Image.Image else kind(path)
    dream = dreamer.dream(source, octaves=STEP)
    assert isinstance(dream, Image.Image)
    assert (dream.size, dream.mode) == ((96, 72), "RGB")
    assert render(path).code == 0
    assert np.array_equal(np.asarray(dream), load(tmp_path / "a-dream.png").pixels)  # the same as on the command line


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_strength_0_gives_the_picture_back(mode: str) -> None:
    source = Image.fromarray(pixels()).convert(mode)
    source.info["icc_profile"] = b""
    dream = dreamer.dream(source, strength=0, octaves=STEP)
    assert dream.mode == mode and np.array_equal(np.asarray(dream), np.asarray(source))


def test_sixteen_bits_come_out_in_eight(tmp_path: Path) -> None:
    dream = dreamer.dream(photo(tmp_path / "a.png", depth=np.uint16), strength=0, octaves=STEP)
    assert np.array_equal(np.asarray(dream), np.rint(pixels(depth=np.uint16) / 257).astype(np.uint8))


def test_a_preset_changes_a_layer_a_guide_and_a_size_all_count(tmp_path: Path) -> None:
    source, preset = photo(tmp_path / "a.png"), tmp_path / "look.toml"
    preset.write_text("schema = 1\nsize = 48\n[octaves]\nsteps = 1\n")
    seen: list[Step] = []
    small = dreamer.dream(source, preset=preset, layer="m4a", on_step=seen.append)
    assert small.size == (48, 36) and len(seen) == 1 and seen[0].share == 1
    other = dreamer.dream(source, preset=str(preset), seed=5)
    assert np.asarray(small).tolist() != np.asarray(other).tolist()
    guided = dreamer.dream(source, preset=preset, guide=Image.fromarray(pixels()[:, ::-1]))
    assert np.asarray(guided).tolist() != np.asarray(small).tolist()


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(dreamer.DreamerError) as caught:
        dreamer.dream(Image.new("RGB", (32, 32)), strength=7, colr=1, layer="m4x", network="reverie")
    for part in ("strength: 7 is not", "colr: unknown key; did you mean colour?", "no layer 'm4x'"):
        assert part in str(caught.value)
    with pytest.raises(dreamer.DreamerError, match="no preset is called"):
        dreamer.dream(Image.new("RGB", (32, 32)), preset="nonesuch")
    with pytest.raises(dreamer.DreamerError, match="there is no file"):
        dreamer.dream("nonesuch.jpg")


def test_stopping_a_notebook_leaves_the_picture_so_far(tmp_path: Path) -> None:
    source = Image.fromarray(pixels())

    def stop(step: Step) -> None:
        if step.number == 1:
            raise KeyboardInterrupt

    with pytest.raises(dreamer.Interrupted) as caught:
        dreamer.dream(source, octaves={"steps": 50}, on_step=stop)
    partial = caught.value.picture
    assert isinstance(partial, Image.Image) and partial.size == source.size
    assert np.array_equal(np.asarray(partial), np.asarray(dreamer.dream(source, octaves={"steps": 2})))


def test_a_loop_that_goes_on_after_errors_ends_when_it_is_stopped() -> None:
    begun = []

    def stop(step: Step) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        for number in range(3):
            with suppress(Exception):
                begun.append(number)
                dreamer.dream(Image.fromarray(pixels()), on_step=stop)
    assert begun == [0]


def test_what_is_unfinished_is_of_the_type_that_is_returned(tmp_path: Path) -> None:
    def stop(*step: object) -> None:
        raise KeyboardInterrupt

    network, few = tiny_network(), {"octaves": {"count": 1, "steps": 2}}
    with pytest.raises(dreamer.Interrupted) as caught:
        dreamer.visualize(network, channel=1, count=3, size=40, on_step=stop)
    assert [picture.size for picture in caught.value.picture] == [(40, 40)] * 3
    with pytest.raises(dreamer.Interrupted) as caught:
        next(dreamer.zoom(Image.fromarray(pixels()), network=network, seconds=1, fps=4, on_step=stop, **few))
    assert isinstance(caught.value.picture, Image.Image)
    clip = made(tmp_path / "clip.mp4", 3, size=(96, 128))
    with pytest.raises(dreamer.Interrupted) as caught:
        next(dreamer.video(clip, network=network, on_step=stop, **few))
    assert isinstance(caught.value.picture, Image.Image)


def test_a_network_comes_by_its_name_and_can_be_differentiated() -> None:
    network = dreamer.load_network("reverie")
    image = torch.rand(1, 3, 48, 64, requires_grad=True)
    features = network.features(image, [network.default_layer])[network.default_layer]
    assert features.shape == (1, 272, 6, 8)
    features.square().mean().backward()
    assert image.grad is not None and image.grad.abs().sum() > 0
    with pytest.raises(dreamer.DreamerError, match="did you mean reverie"):
        dreamer.load_network("reveri")
    with pytest.raises(dreamer.DreamerError, match="dreamer networks fetch vgg16"):
        dreamer.load_network("vgg16")


def test_a_network_itself_may_be_handed_over(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    network = dreamer.load_network("reverie")
    by_name, by_itself = (
        dreamer.dream(source, network=which, octaves={"count": 1, "steps": 2}) for which in ("reverie", network)
    )
    assert by_name.tobytes() == by_itself.tobytes()


def test_the_change_grows_with_the_strength(tmp_path: Path) -> None:
    source = Image.fromarray(pixels())
    amounts = []
    for strength in (0, 0.2, 0.5, 0.8, 1):
        dream = dreamer.dream(source, strength=strength, octaves={"count": 1, "steps": 3})
        amounts.append(np.abs(np.asarray(dream, float) - np.asarray(source, float)).mean())
    assert amounts[0] == 0 and all(b > a + 0.1 for a, b in pairwise(amounts))


def test_transforms_that_leave_too_little_are_told_of(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the transforms leave too little of the picture: 10x7 pixels"):
        dreamer.dream(photo(tmp_path / "a.png"), transforms=[{"name": "crop", "share": 0.1}])


@pytest.mark.parametrize("neuron", [(), (1, 2), (1, 2, 3, 4)])
def test_a_neuron_is_a_channel_or_a_channel_and_a_place(neuron: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="neuron: expected a channel, or a channel, a row and a column"):
        dreamer.visualize("reverie", neuron=neuron)


def test_a_feature_as_large_as_the_picture_at_a_layer_that_sees_single_pixels() -> None:
    one = Network("one", torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1)), (0.5,) * 3, (1.0,) * 3, "", "", "0")
    wish = {"octaves": {"feature_size": 100.0, "steps": 1, "scale": 4.0}, "gradient_filters": [{"name": "normalise"}]}
    assert dreamer.dream(Image.new("RGB", (40, 30), "grey"), network=one, **wish).size == (40, 30)


def test_whole_motifs_are_as_large_as_asked_for() -> None:
    """Eleven positions of eight pixels are a figure; a texture's size is half of what a position sees."""
    photo = load(Image.new("RGB", (900, 700), "grey"))
    for layer, first in (("m4a", 440), ("m4b", 320)):
        objectives = [{"name": "motif", "layer": layer, "names": ["eye"]}]
        words = {"octaves": {"feature_size": 20.0}, "objectives": objectives}
        pipeline = build(words, load_plugins()[0], network="reverie")
        assert min(pipeline.plan(photo.height, photo.width).octaves[0].size) == first


def test_no_octave_is_too_small_for_a_whole_motif() -> None:
    small = load(Image.new("RGB", (160, 120), "grey"))
    for words, first in (({}, 89), ({"count": 4}, 44), ({"scale": 4.0}, 120)):
        octaves = {"smallest": 30, "scale": 1.35, **words}
        pipeline = build({"octaves": octaves}, load_plugins()[0], network="reverie")
        assert min(pipeline.plan(small.height, small.width).octaves[0].size) == pytest.approx(first, abs=5)
    assert [octave.size for octave in pipeline.plan(40, 50).octaves] == [(40, 50)]


def test_a_network_without_weights_can_be_dreamt_with() -> None:
    pooled = Network("pool", torch.nn.Sequential(torch.nn.AvgPool2d(2)), (0.5,) * 3, (1.0,) * 3, "", "", "0")
    assert pooled.sizes(40, 30, ["0"]) == {"0": (20, 15)} and pooled.differentiable(["0"])
    assert dreamer.dream(Image.new("RGB", (40, 30), "orange"), network=pooled, octaves={"steps": 1}).size == (40, 30)


def test_the_network_is_made_fast_once_for_all_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    prepared = Network.prepared

    def counted(self: Network, *arguments: object) -> Network:
        calls.append(arguments)
        return prepared(self, *arguments)

    monkeypatch.setattr(Network, "prepared", counted)
    zoom = dreamer.zoom(photo(tmp_path / "a.png"), seconds=1, fps=3, rate=4, octaves={"steps": 1}, size=64)
    assert len(list(zoom)) == 3 and len(calls) == 1


def test_octaves_that_the_network_cannot_see_are_left_out() -> None:
    wide = Network("wide", torch.nn.Sequential(torch.nn.Conv2d(3, 4, 60)), (0.5,) * 3, (1.0,) * 3, "", "", "0")
    seen: list[Step] = []
    wish = {"octaves": {"smallest": 40, "scale": 1.5, "steps": 1}, "gradient_filters": [{"name": "normalise"}]}
    dreamer.dream(Image.new("RGB", (150, 150), "grey"), network=wide, on_step=seen.append, **wish)
    assert [step.size for step in seen] == [(67, 67), (100, 100), (150, 150)]
    wish["octaves"]["count"] = 4
    with pytest.raises(UsageError, match="44x44 pixels are too small"):
        dreamer.dream(Image.new("RGB", (150, 150), "grey"), network=wide, **wish)
