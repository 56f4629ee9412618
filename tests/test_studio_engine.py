"""The studio's engine: what it dreams, reads and says is what the command line does."""

import base64
import hashlib
import io
import struct
import time
import zlib

import pytest
from clips import made as clip
from command import QUICK, dreamer, left_in, photo, stamp_of
from PIL import Image

from dreamer.api.names import copied
from dreamer.cli.engine import Control, Engine, encoded
from dreamer.cli.vocabulary import look_of
from dreamer.image import load
from dreamer.recipes.options import RESERVED
from dreamer.recipes.preset import Preset


@pytest.fixture
def said():
    return []


@pytest.fixture
def control():
    return Control()


@pytest.fixture
def engine(said, control):
    return Engine(said.append, control)


def test_the_same_recipe_gives_the_same_bytes(engine, tmp_path):
    source = photo(tmp_path / "lake.jpg", 80, 60)
    wishes = ("--preset", "agate", "--seed", "3", "--strength", "0.7", "--region", "top=keep", *QUICK)
    answer = engine.answer({"do": "render", "words": [str(source), *wishes, "-o", str(tmp_path / "studio.jpg")]})
    assert answer["result"] == str(tmp_path / "studio.jpg"), answer
    assert dreamer("render", source, *wishes, "-o", tmp_path / "typed.jpg").code == 0
    assert (tmp_path / "studio.jpg").read_bytes() == (tmp_path / "typed.jpg").read_bytes()


def test_a_file_that_is_there_is_not_replaced(engine, tmp_path):
    source, place = photo(tmp_path / "lake.png", 64, 48), tmp_path / "mine.png"
    place.write_bytes(b"mine")
    answer = engine.answer({"do": "render", "words": [str(source), *QUICK, "-o", str(place)]})
    assert "already exists" in answer["problems"][0] and place.read_bytes() == b"mine"


def test_previews_are_small_few_and_as_strong_as_the_dream(engine, said, tmp_path, monkeypatch):
    source = photo(tmp_path / "wide.png", 900, 64)
    words = [str(source), "--strength", "0", "--set", "octaves.steps=3", "--set", "octaves.count=3"]
    engine.answer({"do": "render", "words": [*words, "-o", str(tmp_path / "a.png")]})
    shown = [base64.b64decode(each["preview"]) for each in said if "preview" in each]
    assert set(shown) == {encoded(load(source).at_most(768).image(), "JPEG")}
    assert Image.open(io.BytesIO(shown[0])).size == (768, 55)
    steps = [each for each in said if each["event"] == "step"]
    shares = [each["share"] for each in steps]
    assert len(shares) > 3 and shares == sorted(shares) and shares[-1] == 1
    said.clear()
    now = iter(range(10_000))
    monkeypatch.setattr(time, "monotonic", lambda: next(now) / 100)  # some hundredths of a second a step
    engine.answer({"do": "render", "words": [*words, "-o", str(tmp_path / "b.png")]})
    assert sum("preview" in each for each in said if each["event"] == "step") <= 2


def test_stop_answers_after_one_step_and_keeps_the_picture(engine, control, tmp_path):
    source, steps = photo(tmp_path / "lake.png", 64, 48), []

    def say(facts):
        if facts["event"] == "step":
            steps.append(facts)
            control.hear("stop")

    engine.say = say
    words = [str(source), "--set", "octaves.steps=50", "-o", str(tmp_path / "a.png")]
    answer = engine.answer({"do": "render", "words": words})
    assert answer["stopped"] and len(steps) == 1
    assert left_in(tmp_path) == ["a-partial.png", "lake.png"] and answer["result"] == str(tmp_path / "a-partial.png")
    assert stamp_of(tmp_path / "a-partial.png")["recipe"]["octaves"]["steps"] == 50


def _bomb(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(30_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"GIF89a and no more", ""),
        (b"PK\x03\x04" + bytes(100), "not a picture"),
        (_bomb(30_000, 30_000), "pixels"),
        (_bomb(100, 100), ""),
    ],
)
def test_a_broken_file_and_a_bomb_are_a_sentence(engine, tmp_path, data, words):
    (tmp_path / "a.png").write_bytes(data)
    into = {"view": str(tmp_path / "view.jpg"), "small": str(tmp_path / "small.png")}
    answer = engine.answer({"do": "read", "path": str(tmp_path / "a.png"), "into": into, "max_pixels": 1_000_000})
    if "problems" in answer:
        assert words in answer["problems"][0] and "internal error" not in answer["problems"][0]
    else:
        assert (answer["width"], answer["height"]) == (100, 100)


def test_a_picture_is_read_with_its_recipe_and_shown_small(engine, tmp_path):
    source = photo(tmp_path / "a.png", 2000, 60)
    into = {"view": str(tmp_path / "view.jpg"), "small": str(tmp_path / "small.png")}
    read = {"do": "read", "path": str(source), "into": into, "max_pixels": 1_000_000}
    assert engine.answer(read) == {"width": 2000, "height": 60, "notices": (), "recipe": None, "photo": "", "look": ""}
    assert [(load(place).width, load(place).height) for place in into.values()] == [(1600, 48), (320, 10)]
    dreamer("render", photo(tmp_path / "b.png", 64, 48), "-o", tmp_path / "dream.png", "--seed", "5", *QUICK)
    stamps = engine.answer({"do": "stamps", "paths": [str(tmp_path / "dream.png"), str(source), "/no"]})["stamps"]
    assert (
        stamps[str(tmp_path / "dream.png")]["recipe"]["seed"] == 5 and not stamps[str(tmp_path / "dream.png")]["look"]
    )
    assert stamps[str(tmp_path / "dream.png")]["photo"] == hashlib.sha256((tmp_path / "b.png").read_bytes()).hexdigest()
    assert stamps[str(source)]["recipe"] is stamps["/no"]["recipe"] is None


def test_a_look_is_known_by_all_its_words_but_its_seed(engine):
    shelf = copied(engine.registry)
    shelf.presets.add("own", "dreamer-own", lambda: Preset("own", "Own", "", "me", {"seed": 3, "colour": 0.123}))
    assert look_of({"seed": 9, "colour": 0.123}, shelf) == "own" and not look_of({"seed": 3, "colour": 0.5}, shelf)


def test_every_option_of_every_ingredient_is_offered(engine):
    offered = engine.answer({"do": "vocabulary"})
    for kind, shelf in engine.registry.ingredients.items():
        found = {one["name"]: [option["name"] for option in one["options"]] for one in offered["kinds"][kind]}
        assert found == {entry.name: list(entry.value.options) for entry in shelf}
        assert all(one["summary"] for one in offered["kinds"][kind])
        assert not {name for names in found.values() for name in names} & RESERVED
    strength = next(one for one in offered["recipe"] if one["name"] == "strength")
    assert (strength["type"], strength["low"], strength["high"], strength["default"]) == ("number", 0, 1, 1.0)
    init = next(one for one in offered["recipe"] if one["name"] == "init")
    assert init["type"] == "choice" and init["choices"] == ["photo", "noise", "grey", "canvas"]
    assert {look["name"] for look in offered["looks"]} >= {"gaze", "jewels"}


def test_the_recipe_of_the_words_is_told_and_what_is_wrong_with_them(engine, tmp_path):
    source = str(photo(tmp_path / "a.png", 64, 48))
    found = engine.answer({"do": "recipe", "words": [source, "--preset", "gaze", "--set", "colour=0.25"]})
    assert found["recipe"]["colour"] == 0.25 and "m4a" in found["layers"]
    wrong = engine.answer({"do": "recipe", "words": [source, "--strength", "7", "--set", "octaves.stepz=1"]})
    assert any("--strength" in each for each in wrong["problems"]) and any(
        "stepz" in each for each in wrong["problems"]
    )
    added = engine.answer({"do": "recipe", "words": [source, "--set", 'transforms.scale.id="scale"']})["recipe"]
    assert added["transforms"][-1]["name"] == "scale"


def test_a_zoom_is_what_the_command_makes_and_stop_keeps_the_frames_so_far(engine, said, control, tmp_path):
    source, path = photo(tmp_path / "lake.png", 64, 48), tmp_path / "path.toml"
    path.write_text("[[keyframes]]\ntime = 0.5\nrate = 2.0\n")
    wishes = (str(source), "--seconds", "0.5", "--fps", "8", "--keyframes", str(path), *QUICK)
    words = [*wishes, "-o", str(tmp_path / "studio.mp4"), "--resume"]

    def say(facts):
        said.append(facts)
        if facts["event"] == "step" and facts["doing"] == "frame 2 of 4":
            control.hear("stop")

    engine.say = say
    answer = engine.answer({"do": "film", "kind": "zoom", "words": words})
    assert answer == {"result": str(tmp_path / "studio-so-far.mp4"), "stopped": True}, answer
    assert any("preview" in each for each in said) and said[-2]["doing"] == "frame 2 of 4"
    engine.say = said.append
    answer = engine.answer({"do": "film", "kind": "zoom", "words": words})
    assert answer["result"] == str(tmp_path / "studio.mp4"), answer
    assert "frame 1 of 4" not in {each.get("doing") for each in said[-3:]}
    assert dreamer("zoom", *wishes, "-o", tmp_path / "typed.mp4").code == 0
    assert (tmp_path / "studio.mp4").read_bytes() == (tmp_path / "typed.mp4").read_bytes()


def test_a_loop_is_what_the_command_makes_and_its_dreams_are_shown(engine, said, tmp_path):
    wishes = (str(photo(tmp_path / "lake.png", 64, 48)), "--seconds", "0.5", "--fps", "4", "--seeds", "1", *QUICK)
    words = [*wishes, "-o", str(tmp_path / "a.mp4"), "--resume"]
    answer = engine.answer({"do": "film", "kind": "loop", "words": words})
    assert answer["result"] == str(tmp_path / "a.mp4"), answer
    assert any("preview" in each for each in said)
    assert dreamer("loop", *wishes, "-o", tmp_path / "typed.mp4").code == 0
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "typed.mp4").read_bytes()


def test_a_clip_is_read_by_its_first_frame_and_dreamt_over(engine, tmp_path):
    clip(tmp_path / "a.mp4", 6)
    into = {"view": str(tmp_path / "view.jpg"), "small": str(tmp_path / "small.png")}
    found = engine.answer({"do": "read", "path": str(tmp_path / "a.mp4"), "into": into, "max_pixels": 1_000_000})
    assert found["clip"] and found["frames"] == 6 and found["width"] == load(into["view"]).width, found
    wishes = (str(tmp_path / "a.mp4"), "--stability", "0.5", "--end", "0.1", *QUICK)
    answer = engine.answer({"do": "film", "kind": "video", "words": [*wishes, "-o", str(tmp_path / "b.mp4")]})
    assert answer["result"] == str(tmp_path / "b.mp4"), answer
    assert dreamer("video", *wishes, "-o", tmp_path / "typed.mp4").code == 0
    assert (tmp_path / "b.mp4").read_bytes() == (tmp_path / "typed.mp4").read_bytes()
    assert engine.answer({"do": "stamp", "path": str(tmp_path / "b.mp4")})["recipe"]["network"] == "reverie"


def test_what_is_wrong_with_a_path_is_told_with_the_recipe(engine, tmp_path):
    words = [str(photo(tmp_path / "a.png", 64, 48)), "--rate", "0.5", "--set", "octaves.stepz=1"]
    problems = engine.answer({"do": "recipe", "kind": "zoom", "words": words})["problems"]
    assert any("--rate" in each for each in problems) and any("stepz" in each for each in problems)


def test_a_proof_is_a_part_of_the_dream_at_its_full_size(engine, tmp_path, monkeypatch):
    monkeypatch.setattr("dreamer.cli.engine._SMALL", 120)
    monkeypatch.setattr("dreamer.cli.engine._PROOF", (96, 128))
    source = photo(tmp_path / "a.png", 168, 120)
    words = [str(source), "--set", "octaves.steps=1", "--set", "octaves.count=3"]
    proof = {"do": "proof", "words": words, "at": [0.0, 1.0], "into": str(tmp_path / "proof.png")}
    assert engine.answer(proof) == {"width": 168, "height": 120}
    shown = load(tmp_path / "proof.png")
    assert (shown.width, shown.height) == (128, 96)
    corner = load(source).image()[..., 24:, :128]
    change = (shown.image() - corner).abs()
    assert 0.002 < change.mean() < 0.1  # that part, dreamt over
