"""The atlas of a network: its page, as a text, as a file and in a browser."""

import base64
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
from html.parser import HTMLParser
from urllib.parse import urlencode

import numpy as np
import pytest
import torch
from command import ENVIRONMENT, dreamer, left_in, photo, process, refused, stamp_of, understood
from forked import Forked
from networks import tiny
from PIL import Image

from dreamer.errors import UsageError
from dreamer.image import load
from dreamer.networks import reverie
from dreamer.pipeline.build import build
from dreamer.plugins.loading import load_plugins
from dreamer.recipes.overrides import read_setting
from dreamer.recipes.preset import read_preset
from dreamer.visualization import exemplars
from dreamer.visualization.atlas import channel_images
from dreamer.visualization.atlas.activation_maps import ActivationMaps, activations_on
from dreamer.visualization.atlas.channel_images import channel_recipe, draw_channels
from dreamer.visualization.atlas.exemplar_crops import Crop
from dreamer.visualization.atlas.layer_section import LayerSection, select_channels
from dreamer.visualization.atlas.page import Atlas, reuse_images
from dreamer.visualization.exemplars import channel_names

REGISTRY = load_plugins()[0]
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \"quoted\" 'so' <!-- ${x} $title \u2028"
QUICK = ("--size", "32", "--steps", "1", "--threads", "1")
CPU = torch.device("cpu")
PICTURES = ["a.png", "b.png", "inner/<b>c<b>.png", "d.png", "e.png", "f.png", "g.png"]  # more than are shown


def known(page):
    """What a page's JSON says."""
    text = page if isinstance(page, str) else page.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="atlas">(.*?)</script>', text, re.S)[1])


def picture(text):
    return Image.open(io.BytesIO(base64.b64decode(text)))


def painted(network, layer, channels, **options):
    pipeline = build(channel_recipe(layer, **options), REGISTRY, network=network)
    return dict(draw_channels(pipeline, channels))


def hostile(path):
    """An atlas all of whose strings are an enemy's."""
    plate, crop = painted(tiny(), "two", [0, 5], size=32, steps=1), io.BytesIO()
    Image.new("RGB", (8, 8)).save(crop, "WEBP")
    section = LayerSection("two", (0, 5), {0: HOSTILE}, HOSTILE, plate, {0: [Crop(HOSTILE, 1.5, crop.getvalue())]})
    seen = activations_on(load(photo(path / "seen.png")), HOSTILE, tiny(), ["two"], CPU)
    return Atlas(HOSTILE, (section,), HOSTILE, seen)


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found, self.texts, self.inside = [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self.texts.append("")
        self.inside = True

    def handle_data(self, data):
        if self.inside:
            self.texts[-1] += data

    def handle_endtag(self, tag):
        self.inside = False

    def of(self, tag):
        return [(words, text) for (name, words), text in zip(self.found, self.texts, strict=True) if name == tag]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A page of two layers, and the folder that it was made in."""
    folder = tmp_path_factory.mktemp("atlas")
    source = photo(folder / "a photo.png", 120, 80)
    (folder / "pictures" / "inner").mkdir(parents=True)
    random = np.random.default_rng(0)
    for name in PICTURES:
        noise = random.normal(random.uniform(60, 200), random.uniform(10, 70), (8, 10, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noise).resize((80, 64)).save(folder / "pictures" / name)
    (folder / "pictures" / "broken.jpg").write_bytes(b"no picture")
    page = folder / "atlas.html"
    wishes = ("--layer", "m4b,m4a", "--channels", "0-6,13,21", "--photo", source)
    ran = dreamer("atlas", "-o", page, *wishes, "--exemplars", folder / "pictures", *QUICK, "--progress", "plain")
    assert ran.code == 0, ran.err
    assert left_in(folder) == ["a photo.png", "atlas.html", "pictures"]
    return folder, ran


def test_the_page_holds_every_channel_with_its_name_and_picture(made):
    folder, ran = made
    found = known(folder / "atlas.html")
    assert found["network"] == "reverie" and [layer["name"] for layer in found["layers"]] == ["m4b", "m4a"]
    for layer in found["layers"]:
        names = {number: name for name, number in channel_names(reverie(), layer["name"]).items()}
        assert [one["number"] for one in layer["channels"]] == [0, 1, 2, 3, 4, 5, 6, 13, 21]
        assert [one["name"] for one in layer["channels"]] == [names.get(one["number"], "") for one in layer["channels"]]
        assert {picture(one["plate"]).size for one in layer["channels"]} == {(32, 32)}
        assert len({one["plate"] for one in layer["channels"]}) == 9
    assert any(one["name"] for one in found["layers"][0]["channels"])
    assert f"{folder / 'atlas.html'} is done" in ran.err


def test_the_exemplars_are_those_of_the_highest_activation(made):
    folder, ran = made
    assert "skipped broken.jpg" in ran.err
    for layer in known(folder / "atlas.html")["layers"]:
        answers = {
            name: reverie().features(load(folder / "pictures" / name).image(), [layer["name"]])[layer["name"]][0]
            for name in PICTURES
        }
        for channel in layer["channels"]:
            best = {name: float(seen[channel["number"]].max()) for name, seen in answers.items()}
            wanted = sorted((value, name) for name, value in best.items() if value > 0)[::-1][:4]
            assert [crop["name"] for crop in channel["crops"]] == [name for _, name in wanted]
            assert [crop["activation"] for crop in channel["crops"]] == pytest.approx([v for v, _ in wanted], rel=1e-4)
            assert all(max(picture(crop["picture"]).size) <= 80 for crop in channel["crops"])


def test_a_plate_excites_its_own_channel_most():
    """Each of several in one batch is of its own channel, and no other one's."""
    channels = [4, 9, 12, 13, 21]
    found = painted(reverie(), "m4b", channels, size=48, steps=10)
    answers = []
    for channel in channels:
        plate = torch.from_numpy(np.array(Image.open(io.BytesIO(found[channel])))).permute(2, 0, 1)[None] / 255
        answers.append(reverie().features(plate, ["m4b"])["m4b"][0, channels].mean((1, 2)).detach())
    assert torch.stack(answers).argmax(0).tolist() == [0, 1, 2, 3, 4]


def test_maps_are_near_and_the_strongest_exact():
    seen = np.random.default_rng(0).normal(size=(40, 7, 9)).astype(np.float32)
    seen[3] = 0.5
    heat = ActivationMaps.of(seen)
    span = heat.high - heat.low
    again = heat.low[:, None, None] + heat.maps / 255 * span[:, None, None]
    assert (np.abs(again - seen) <= span[:, None, None] / 510 + 1e-6).all()
    assert (heat.strongest == np.argsort(-seen, axis=0)[:5]).all()
    assert (heat.values == np.sort(seen, axis=0)[::-1][:5]).all()


def test_fine_maps_are_averaged(tmp_path):
    source = load(photo(tmp_path / "wide.png", 400, 200))
    found = activations_on(source, "x", tiny(), ["one"], CPU)
    wanted = tiny().features(source.image(), ["one"])["one"]
    assert found.features["one"].shape == (8, 48, 96)
    assert found.features["one"].mean((1, 2)) == pytest.approx(wanted.mean((0, 2, 3)).detach().numpy(), rel=0.02)


def test_the_strings_of_strangers_stay_text(tmp_path):
    page = hostile(tmp_path).page()
    tags = Tags(page)
    assert len(tags.of("script")) == 2 and not [words for words, _ in tags.of("img") if words.get("src")]
    assert tags.of("title")[0][1] == f"Atlas of {HOSTILE}" == tags.of("h1")[0][1]
    assert not [key for _, words in tags.found for key in words if key.startswith("on")]
    found = known(page)
    channel = found["layers"][0]["channels"][0]
    assert found["photo"]["name"] == HOSTILE == channel["name"] == channel["crops"][0]["name"]
    script = tags.of("script")[1][1]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function", script)


def test_nothing_is_loaded_from_elsewhere(made):
    page = (made[0] / "atlas.html").read_text(encoding="utf-8")
    tags = Tags(page)
    assert not {"link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in tags.found}
    assert not [words for _, words in tags.found if {"src", "href", "srcset", "action"} & words.keys()]
    (style,), script = tags.of("style"), tags.of("script")[1][1]
    assert not re.search(
        r"https?:|//[a-z]|url\(|@import|fetch\(|XMLHttp|import\(", style[1] + re.sub(r"// .*", "", script)
    )
    policy = next(w["content"] for w, _ in tags.of("meta") if w.get("http-equiv") == "Content-Security-Policy")
    parts = dict(part.split(" ", 1) for part in policy.split("; "))
    digest = {
        kind: "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for kind, text in [("script-src", script), ("style-src", style[1])]
    }
    assert (
        parts == {"default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'"} | digest
    )


def test_every_command_is_understood_and_means_its_channel(made, tmp_path):
    for layer in known(made[0] / "atlas.html")["layers"]:
        for one in layer["channels"]:
            shows = understood(one["visualize"]).params
            assert (shows["layer"], shows["channel"]) == (layer["name"], str(one["number"]))
            wanted = [{"name": "channel", "layer": layer["name"], "index": [one["number"]]}]
            (setting,) = understood(one["render"]).params["settings"]
            assert read_setting(setting) == ("objectives", wanted)
            path = tmp_path / f"{layer['name']}-{one['number']}.toml"
            path.write_text(one["preset"], encoding="utf-8")
            assert read_preset(path).words["objectives"] == wanted
    preset, source = tmp_path / "m4b-13.toml", photo(tmp_path / "photo.jpg", 64, 48)
    assert dreamer("render", source, "-o", tmp_path / "a.png", "--preset", preset, "--set", "octaves.steps=1").code == 0
    assert stamp_of(tmp_path / "a.png")["recipe"]["objectives"][0]["index"] == [13]


def test_commands_name_another_network_and_weights_of_any_name(tmp_path):
    (channel, _) = hostile(tmp_path).to_dict()["layers"][0]["channels"]
    for line in (channel["visualize"], channel["render"]):
        shows = understood(line).params
        assert (shows["network"], str(shows["weights"])) == (HOSTILE, HOSTILE)
    (tmp_path / "look.toml").write_text(channel["preset"], encoding="utf-8")
    assert read_preset(tmp_path / "look.toml").words["network"] == HOSTILE


def test_channels_by_number_range_and_name():
    network = reverie()
    names = channel_names(network, "m4b")
    name, number = next(iter(names.items()))
    assert select_channels(network, "m4b", f"3-5, 9,{name},4").channels == tuple(sorted({3, 4, 5, 9, number}))
    assert select_channels(network, "m4b", None).channels == tuple(range(272))
    with pytest.raises(UsageError) as raised:
        select_channels(network, "m4b", "272,nothing-like-it,5-3")
    assert len(raised.value.problems) == 3


def test_ctrl_c_keeps_the_channels_so_far_and_resume_goes_on(tmp_path, monkeypatch):
    real, asked = channel_images.draw_channels, []

    def stopping(pipeline, channels, *, directions, on_step):
        asked.append(list(channels))
        for channel, plate in real(pipeline, channels, directions=directions, on_step=on_step):
            if channel == 5 and len(asked) == 1:
                raise KeyboardInterrupt
            yield channel, plate

    monkeypatch.setattr(channel_images, "draw_channels", stopping)
    page, partial = tmp_path / "atlas.html", tmp_path / "atlas-partial.html"
    command = ("atlas", "-o", page, "--channels", "0-9", *QUICK, "--progress", "plain")
    ran = dreamer(*command)
    assert ran.code == 130 and str(partial) in ran.err and "--resume" in ran.err
    assert left_in(tmp_path) == ["atlas-partial.html"]
    before = known(partial)["layers"][0]["channels"]
    assert [one["number"] for one in before] == [0, 1, 2, 3, 4]
    refused(dreamer(*command), "atlas-partial.html already exists", "--resume")
    assert dreamer(*command, "--resume").code == 0
    assert asked[1] == [5, 6, 7, 8, 9] and left_in(tmp_path) == ["atlas.html"]
    after = known(page)["layers"][0]["channels"]
    assert after[:5] == before and len(after) == 10
    assert dreamer(*command, "--resume", "--seed", "7").code == 0
    assert asked[2] == list(range(10))  # made in another way


def test_ctrl_c_in_a_real_process_keeps_the_channels_so_far(tmp_path):
    page = tmp_path / "atlas.html"
    command = process("atlas", "-o", page, *QUICK[:2], "--threads", "1", "--steps", "4", "--progress", "json")
    with Forked(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        while json.loads(running.stdout.readline()).get("channel", 0) < 3:
            pass
        running.send_signal(signal.SIGINT)
        rest, errors = running.communicate(timeout=120)
    assert running.returncode == 130 and errors == ""
    events = [json.loads(line) for line in rest.splitlines()]
    (result,) = [event["result"] for event in events if event["event"] == "interrupted"]
    assert result == str(tmp_path / "atlas-partial.html") and left_in(tmp_path) == ["atlas-partial.html"]
    assert 3 <= len(known(tmp_path / "atlas-partial.html")["layers"][0]["channels"]) < 272


@pytest.mark.parametrize("again", ["--resume", "--force"])
def test_an_interrupted_search_keeps_the_pictures_seen_by_then_and_resume_goes_on(made, tmp_path, monkeypatch, again):
    looked, load = [], exemplars.load

    def stopping(path, **options):
        if path.name == "d.png":
            raise KeyboardInterrupt
        return load(path, **options)

    def watched(path, **options):
        looked.append(path.name)
        return load(path, **options)

    def command(name):
        words = ("--channels", "0-2", "--exemplars", made[0] / "pictures", *QUICK)
        return ("atlas", "-o", tmp_path / f"{name}.html", *words)

    with monkeypatch.context() as patch:
        patch.setattr(exemplars, "load", stopping)
        assert dreamer(*command("a")).code == 130
    assert left_in(tmp_path) == [".a.html.exemplars", "a-partial.html"]
    channels = known(tmp_path / "a-partial.html")["layers"][0]["channels"]
    assert len(channels) == 3 and any(one["crops"] for one in channels)
    monkeypatch.setattr(exemplars, "load", watched)
    assert dreamer(*command("a"), again).code == 0
    searched = (
        ["d.png", "e.png", "f.png", "g.png"] if again == "--resume" else ["a.png", "b.png", "broken.jpg", "d.png"]
    )
    assert looked[:4] == searched
    assert dreamer(*command("whole")).code == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "whole.html").read_bytes()
    assert left_in(tmp_path) == ["a.html", "whole.html"]


def test_what_is_wrong_is_said_all_at_once(tmp_path):
    (tmp_path / "empty").mkdir()
    wrong = ("--photo", tmp_path / "no.png", "--exemplars", tmp_path / "empty")
    ran = dreamer("atlas", "-o", tmp_path / "page.png", *wrong)
    refused(ran, "end in .html", "no.png", "no pictures in this folder")
    ran = dreamer("atlas", "-o", tmp_path / "a.html", "--layer", "m4b,m9z", "--channels", "0,9999")
    refused(ran, "m9z", "channels 0 to 271")
    (tmp_path / "page.html").write_text("mine")
    refused(dreamer("atlas", "-o", tmp_path / "page.html", "--channels", "0"), "already exists")
    assert (tmp_path / "page.html").read_text() == "mine"
    (tmp_path / "folder.html").mkdir()
    refused(dreamer("atlas", "-o", tmp_path / "folder.html", "--force"), "folder.html is a folder")
    refused(dreamer("atlas", "-o", "."), "end in .html")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    refused(dreamer("atlas", "-o", tmp_path / "b.html", "--photo", tmp_path / "broken.png"), "broken.png")
    assert left_in(tmp_path) == ["broken.png", "empty", "folder.html", "page.html"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"layers": 3}', '{"layers": [{"name": "two", "made": "x", "channels": [{"plate": "!"}]}]}', "[" * 9999],
)
def test_a_strange_page_is_not_gone_on_with(tmp_path, text):
    path, section = tmp_path / "page.html", LayerSection("two", (0, 1), recipe_hash="x")
    path.write_text(f'<script type="application/json" id="atlas">{text}</script>')
    reuse_images(path, [section])
    assert section.images == {}


@pytest.mark.parametrize("name", ["page.html", "page-partial.html"])
@pytest.mark.parametrize("data", [b"<p>mine</p>", b"\xff\xfe"])
def test_a_page_that_is_no_atlas_is_not_gone_on_with_either(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    ran = dreamer("atlas", "-o", tmp_path / "page.html", "--channels", "0,9999", *QUICK, "--resume")
    refused(ran, f"{name} is not an atlas that can be continued; --force replaces it", "channels 0 to 271")
    assert (tmp_path / name).read_bytes() == data and left_in(tmp_path) == [name]


CHROMIUM = shutil.which("chromium")
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")


def opened(page, folder, **state):
    """The page's elements after its script has run, at a place in it."""
    switches = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    address = f"{page.as_uri()}#{urlencode(state)}"
    command = [CHROMIUM, *switches, *quiet, "--virtual-time-budget=2000", "--dump-dom", address]
    return Tags(subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout)


@in_a_browser
def test_the_strongest_at_a_spot_are_those_that_the_features_say(made, tmp_path):
    page = made[0] / "atlas.html"
    numbers = np.array([0, 1, 2, 3, 4, 5, 6, 13, 21])
    seen = reverie().features(load(made[0] / "a photo.png").image(), ["m4a"])["m4a"][0, numbers].detach().numpy()
    _, height, width = seen.shape
    x, y = 0.62, 0.31
    spot = seen[:, int(y * height), int(x * width)]
    tags = opened(page, tmp_path, layer="m4a", channel=13, x=x, y=y)
    tiles = [words for words, _ in tags.of("button") if "data-channel" in words]
    best = np.argsort(-spot, kind="stable")[:5]
    assert [int(words["data-channel"]) for words in tiles] == numbers[best].tolist()
    assert [float(words["data-value"]) for words in tiles] == pytest.approx(spot[best].tolist(), rel=1e-3, abs=1e-4)
    canvas = tags.of("canvas")[0][0]
    assert (int(canvas["width"]), int(canvas["height"])) == (width, height) and "hidden" not in canvas
    (chosen_,) = [words for words, _ in tags.of("li") if words.get("aria-selected") == "true"]
    assert chosen_["aria-label"].startswith("13")
    assert any("--layer m4a --channel 13" in text for _, text in tags.of("pre"))


@in_a_browser
def test_a_browser_shows_hostile_names_as_text(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(hostile(tmp_path).page(), encoding="utf-8")
    tags = opened(page, tmp_path, layer="two", channel=0)
    assert len(tags.of("script")) == 2 and tags.of("h2")[0][1] == f"0 {HOSTILE}"
    assert all(words.get("src", "").startswith("data:") for words, _ in tags.of("img"))


@in_a_browser
@pytest.mark.parametrize(
    ("keys", "layer", "number"),
    [
        ("End ArrowLeft", "m4b", "13"),
        ("End Home", "m4b", "0"),
        ("+ArrowRight End", "m4a", "21"),
        ("+ArrowRight +ArrowRight +Home ArrowRight", "m4b", "0"),
        ("End Escape", "m4b", None),
    ],
)
def test_keys_step_through_channels_and_layers(made, tmp_path, keys, layer, number):
    """Pressed by a script that the page's own policy would not let run."""
    page = re.sub("<meta http-equiv.*", "", (made[0] / "atlas.html").read_text(encoding="utf-8"))
    pressed = (
        f"for (const key of {json.dumps(keys.split())}) document.activeElement.dispatchEvent(new KeyboardEvent("
        "'keydown', { key: key.replace('+', ''), shiftKey: key[0] === '+', bubbles: true }));"
    )
    (tmp_path / "page.html").write_text(page.replace("</body>", f"<script>{pressed}</script></body>"), encoding="utf-8")
    tags = opened(tmp_path / "page.html", tmp_path)
    (tab,) = [text for words, text in tags.of("button") if words.get("aria-selected") == "true"]
    options = [words["aria-label"].split()[0] for words, _ in tags.of("li") if words.get("aria-selected") == "true"]
    assert (tab, options) == (layer, [number] if number else [])
    assert ("hidden" in tags.of("canvas")[0][0]) == (number is None)


def test_what_is_looked_at_is_never_the_page(tmp_path):
    page, unfinished = tmp_path / "a.html", tmp_path / "a-partial.html"
    for path in (page, unfinished):
        photo(tmp_path / "p.png", 64, 48).rename(path)
    before = page.read_bytes()
    refused(dreamer("atlas", "-o", page, "--photo", page, "--force"), "a.html is the input", "never overwritten")
    refused(dreamer("atlas", "-o", page, "--weights", unfinished, "--force"), "a-partial.html is the input")
    photo(tmp_path / "p.png")
    refused(dreamer("concepts", tmp_path, "-o", page, "--weights", page, "--force"), "a.html is the input")
    assert page.read_bytes() == unfinished.read_bytes() == before


def test_a_folder_of_any_name_has_a_page():
    page = Atlas("reverie", (), concepts="c.safetensors", folder=os.fsdecode(b"/caf\xe9")).page()
    assert b"Concepts of /caf? in reverie" in page.encode()
