"""Which pictures of a folder excite a unit, and where."""

import json
import weakref

import numpy as np
import pytest
import torch
from command import dreamer, refused
from networks import pooling as tiny
from PIL import Image

from dreamer import exemplars
from dreamer.errors import PhotoError, UsageError
from dreamer.exemplars import Channel, looks, search
from dreamer.image import load

CPU = torch.device("cpu")
COUNT = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Drawn pictures of three sizes, some in a subfolder, and one that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "inner").mkdir()
    random = np.random.default_rng(0)
    for number in range(COUNT):
        wide, high = [(64, 48), (48, 64), (80, 56)][number % 3]
        y, x = np.mgrid[0:high, 0:wide]
        wave = 0.5 + 0.4 * np.sin(random.uniform(0.05, 0.6) * x + random.uniform(0.05, 0.6) * y)
        pixels = (wave[..., None] * random.uniform(0.3, 1, 3) * 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / ("inner" if number % 2 else ".") / f"p{number:02}.png")
    (folder / "broken.png").write_bytes(b"not a picture")
    return folder


def names_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


def searched(folder, unit, notes, **options):
    return search(folder, names_in(folder), unit, notes=notes, device=CPU, **options)


@pytest.mark.parametrize("least", [False, True])
def test_the_best_are_those_of_the_highest_activation_anywhere(folder, tmp_path, least):
    network = tiny()
    found = searched(folder, Channel(network, "two", 5, least=least), tmp_path / "notes", count=4)
    answers = {}
    for name in names_in(folder):
        if name != "broken.png":
            seen = network.features(load(folder / name).image(), ["two"])["two"][0, 5].double().numpy()
            answers[name] = (seen.min(), seen.max()) if least else -seen.max()
    wanted = sorted(answers, key=lambda name: (answers[name], name))[:4]
    assert [exemplar.name for exemplar in found.best] == wanted
    assert set(found.skipped) == {"broken.png"} and len(found.done) == COUNT + 1


def test_the_place_is_what_the_best_position_sees():
    """A white square in the dark: what a channel that likes bright things sees lies about it."""
    network = tiny()
    image = torch.zeros(1, 3, 60, 80)
    image[..., 40:46, 20:26] = 1
    seen = network.features(image, ["two"])["two"][0]
    flat = network.features(torch.zeros(1, 3, 60, 80), ["two"])["two"][0, :, 15, 20]
    channel = int((seen.amax((1, 2)) - flat).argmax())  # likes the square more than the dark
    ranks, (left, top, right, bottom) = Channel(network, "two", channel).answer(image)
    assert ranks == [pytest.approx(-float(seen[channel].max()))]
    y, x = divmod(int(seen[channel].argmax()), seen.shape[2])
    field = network.layer("two").rows
    assert (top * 60, bottom * 60) == pytest.approx((y * 2 + field.first, y * 2 + field.last + 1))
    assert (left * 80, right * 80) == pytest.approx((x * 2 + field.first, x * 2 + field.last + 1))
    assert left * 80 < 26 and right * 80 > 20 and top * 60 < 46 and bottom * 60 > 40


def test_a_place_at_the_border_is_cut_there_and_equal_places_are_met_in_the_middle():
    unit = Channel(tiny(), "two", 0)
    _, place = unit.answer(torch.full((1, 3, 12, 12), 0.5))
    assert 0 <= place[0] < place[2] <= 1
    _, (left, top, right, bottom) = Channel(tiny(), "pool", 0, least=True).answer(torch.full((1, 3, 80, 80), 0.5))
    assert (left + right) / 2 == pytest.approx(0.5, abs=0.03) and (top + bottom) / 2 == pytest.approx(0.5, abs=0.03)


class Killed(BaseException):
    """As a kill: nothing is done on the way out."""


def test_a_search_that_was_killed_goes_on_and_comes_to_the_same(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(exemplars, "_EVERY", 10)
    unit = Channel(tiny(), "two", 5)
    whole = searched(folder, unit, tmp_path / "whole", count=9)
    looked = []

    def kill(number, name):
        looked.append(name)
        if len(looked) == 13:
            raise Killed

    with pytest.raises(Killed):
        searched(folder, unit, tmp_path / "notes", count=9, on_picture=kill)
    again = []
    resumed = searched(folder, unit, tmp_path / "notes", count=9, on_picture=lambda number, name: again.append(name))
    assert resumed == whole
    assert len(again) == COUNT + 1 - 10  # all but those of the last note
    sheets = [b"".join(look.picture.tobytes() for look in looks(folder, found.best)) for found in (whole, resumed)]
    assert sheets[0] == sheets[1]


def test_ctrl_c_notes_down_every_picture(folder, tmp_path):
    def stop(number, name):
        if number == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(folder, Channel(tiny(), "two", 5), tmp_path / "notes", on_picture=stop)
    assert len(json.loads((tmp_path / "notes").read_text())["done"]) == 7


@pytest.mark.parametrize(
    "other", [{"channel": 6}, {"least": True}, {"size": 40}, {"layer": "one"}], ids=lambda change: next(iter(change))
)
def test_notes_of_another_search_are_not_heeded(folder, tmp_path, other):
    def stop(number, name):
        if number == 20:
            raise KeyboardInterrupt

    plain = {"network": tiny(), "layer": "two", "channel": 5}
    with pytest.raises(KeyboardInterrupt):
        searched(folder, Channel(**plain), tmp_path / "notes", on_picture=stop)
    looked = []
    searched(
        folder, Channel(**{**plain, **other}), tmp_path / "notes", on_picture=lambda number, name: looked.append(name)
    )
    assert len(looked) == COUNT + 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"of": 1, "best": [{"rank": 3}], "done": 5}', "\0"])
def test_notes_that_make_no_sense_are_not_heeded(folder, tmp_path, text):
    (tmp_path / "notes").write_text(text)
    assert len(searched(folder, Channel(tiny(), "two", 5), tmp_path / "notes").best) == 9


def test_never_more_than_the_best_are_kept(folder, tmp_path, monkeypatch):
    """Of structure: no picture outlives its turn, and the list of the best never grows beyond `count`."""
    alive, most, lengths = weakref.WeakSet(), [], []

    def watched(path, **options):
        photo = load(path, **options)
        alive.add(photo)
        return photo

    def look(number, name):
        most.append(len(alive))
        lengths.append(len(found.best))

    class Watched(exemplars.Search):
        def __init__(self, *arguments, **keywords):
            nonlocal found
            super().__init__(*arguments, **keywords)
            found = self

    found = None
    monkeypatch.setattr(exemplars, "load", watched)
    monkeypatch.setattr(exemplars, "Search", Watched)
    searched(folder, Channel(tiny(), "two", 5), tmp_path / "notes", count=3, on_picture=look)
    assert max(most) <= 2 and max(lengths) == 3 and len(lengths) == COUNT + 1


def test_a_unit_is_named_by_number_name_or_class():
    from dataclasses import replace

    network = replace(tiny(), channels={"two": {"scale": 7}}, labels=tuple("abcdefghijkl"))
    assert [Channel.named(network, "two", name).channel for name in ("3", "scale", "c")] == [3, 7, 2]
    with pytest.raises(UsageError, match=r"channels 0 to 11; did you mean scale"):
        Channel.named(network, "two", "scales")
    with pytest.raises(UsageError, match="channels 0 to 7"):
        Channel.named(network, "one", "8")


def test_a_sheet_of_the_folder(folder, tmp_path):
    sheet = tmp_path / "sheet.png"
    ran = dreamer("exemplars", folder, "--channel", "3", "-o", sheet, "--count", "4", "--steps", "2")
    assert ran.code == 0 and "4 of 25 pictures" in ran.out
    assert "broken.png is left out" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    first = sheet.read_bytes()
    with Image.open(sheet) as picture:
        assert picture.size == (3 * 514 + 14, 2 * 256 + 14)  # five tiles: the unit's own picture comes first
    refused(dreamer("exemplars", folder, "--channel", "3", "-o", sheet), "--force replaces it")
    least = dreamer(
        "exemplars", folder, "--channel", "3", "-o", sheet, "--force", "--least", "--count", "4", "--steps", "0"
    )
    assert least.code == 0 and sheet.read_bytes() != first


def test_a_picture_of_the_folder_is_never_overwritten(folder):
    name = next(path for path in sorted(folder.iterdir()) if path.suffix == ".png")
    before = name.read_bytes()
    refused(dreamer("exemplars", folder, "--channel", "3", "-o", name, "--force"), "which is never overwritten")
    assert name.read_bytes() == before


def test_the_cap_of_pixels_holds_to_the_end(folder):
    exemplar = next(iter(searched(folder, Channel(tiny(), "two", 5), folder / ".notes", count=1).best))
    with pytest.raises(PhotoError, match="pixels"):
        looks(folder, [exemplar], max_pixels=10)


def test_wrong_wishes_are_told_of_at_once(folder, tmp_path):
    ran = dreamer("exemplars", tmp_path / "none", "--channel", "9000", "-o", tmp_path / "no" / "sheet.xyz")
    refused(ran, "there is no such folder", "there is no folder", "sheet.xyz", "channels 0 to")
    (tmp_path / "empty").mkdir()
    refused(dreamer("exemplars", tmp_path / "empty", "--channel", "1", "-o", tmp_path / "a.png"), "no pictures")
    (tmp_path / "empty" / "a.jpg").write_bytes(b"x")
    ran = dreamer("exemplars", tmp_path / "empty", "--channel", "1", "-o", tmp_path / "a.png")
    assert ran.code == 2 and "none of its pictures can be looked at" in ran.err


def test_a_unit_s_own_picture_raises_or_lowers_it():
    """What the sheet begins with is climbed by the unit itself, or by its opposite."""
    from dreamer.library import visualize

    network = tiny()
    means = []
    for least in (False, True):
        unit = Channel(network, "two", 5, least=least)
        picture = visualize(network, unit.objective(), steps=8, size=48)
        means.append(float(network.features(load(picture).image(), ["two"])["two"][0, 5].mean()))
        assert exemplars.seen(picture, unit).picture.size == (500, 200)
    assert means[0] > means[1]
