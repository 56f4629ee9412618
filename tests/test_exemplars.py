"""Which pictures of a folder excite a unit, and where."""

import copy
import json
import math
import shutil
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from command import dreamer, refused
from networks import pooling as tiny
from PIL import Image

from dreamer.errors import UsageError
from dreamer.image import load
from dreamer.visualization import exemplars
from dreamer.visualization.atlas.exemplar_crops import Channels
from dreamer.visualization.exemplars import Channel, exemplar_looks, search

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


def many(network=None, wanted=None):
    return Channels(network or tiny(), wanted or {"two": (5, 0, 11), "one": (3,)})


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
    assert [exemplar.name for exemplar in found.best[0]] == wanted
    assert set(found.skipped) == {"broken.png"} and len(found.done) == COUNT + 1


def test_many_channels_are_ranked_in_one_pass_as_each_is_alone(folder, tmp_path, monkeypatch):
    seen, load = [], exemplars.load
    monkeypatch.setattr(exemplars, "load", lambda path, **options: seen.append(path) or load(path, **options))
    units, network = many(), tiny()
    found = searched(folder, units, tmp_path / "notes", count=4)
    assert len(seen) == COUNT + 1 and units.units == len(found.best) == 4
    for (layer, channel), best in zip(units.named, found.best, strict=True):
        (alone,) = searched(folder, Channel(network, layer, channel), tmp_path / "other", count=4).best
        assert [exemplar.name for exemplar in best] == [exemplar.name for exemplar in alone if exemplar.rank[0] < 0]
        assert [exemplar.rank[0] for exemplar in best] == pytest.approx(
            [exemplar.rank[0] for exemplar in alone if exemplar.rank[0] < 0]
        )


def test_a_channel_that_no_picture_excites_has_no_exemplars(folder, tmp_path):
    network = copy.deepcopy(tiny())
    with torch.no_grad():
        network.module.two[0].weight[5] = 0
        network.module.two[0].bias[5] = -1
    found = searched(folder, many(network), tmp_path / "notes")
    assert found.best[0] == [] and all(found.best[1:])


@pytest.mark.parametrize("ranker", [Channel(tiny(), "two", 5), many()], ids=["one", "many"])
def test_a_picture_whose_answer_is_not_finite_is_left_out(folder, tmp_path, ranker):
    network = copy.deepcopy(ranker.network)
    with torch.no_grad():
        network.module.two[0].bias[5] = math.inf
    found = searched(folder, replace(ranker, network=network), tmp_path / "notes")
    assert len(found.skipped) == COUNT + 1 and "(NaN or Inf); choose another layer" in found.skipped["p00.png"]


def test_the_place_is_what_the_best_position_sees():
    """A white square in the dark: what a channel that likes bright things sees lies about it."""
    network = tiny()
    image = torch.zeros(1, 3, 60, 80)
    image[..., 40:46, 20:26] = 1
    seen = network.features(image, ["two"])["two"][0]
    flat = network.features(torch.zeros(1, 3, 60, 80), ["two"])["two"][0, :, 15, 20]
    channel = int((seen.amax((1, 2)) - flat).argmax())  # likes the square more than the dark
    (((rank,), (left, top, right, bottom)),) = Channel(network, "two", channel).answer(image)
    assert rank == pytest.approx(-float(seen[channel].max()))
    y, x = divmod(int(seen[channel].argmax()), seen.shape[2])
    field = network.layer("two").rows
    assert (top * 60, bottom * 60) == pytest.approx((y * 2 + field.first, y * 2 + field.last + 1))
    assert (left * 80, right * 80) == pytest.approx((x * 2 + field.first, x * 2 + field.last + 1))
    assert left * 80 < 26 and right * 80 > 20 and top * 60 < 46 and bottom * 60 > 40


def test_a_place_at_the_border_is_cut_there_and_equal_places_are_met_in_the_middle():
    unit = Channel(tiny(), "two", 0)
    ((_, place),) = unit.answer(torch.full((1, 3, 12, 12), 0.5))
    assert 0 <= place[0] < place[2] <= 1
    unit = Channel(tiny(), "pool", 0, least=True)
    ((_, (left, top, right, bottom)),) = unit.answer(torch.full((1, 3, 80, 80), 0.5))
    assert (left + right) / 2 == pytest.approx(0.5, abs=0.03) and (top + bottom) / 2 == pytest.approx(0.5, abs=0.03)


class Killed(BaseException):
    """As a kill: nothing is done on the way out."""


@pytest.mark.parametrize("unit", [Channel(tiny(), "two", 5), many()], ids=["one", "many"])
def test_a_search_that_was_killed_goes_on_and_comes_to_the_same(folder, tmp_path, monkeypatch, unit):
    monkeypatch.setattr(exemplars, "_EVERY", 10)
    whole = searched(folder, unit, tmp_path / "whole", count=9)

    def kill(so_far):
        if len(so_far.done) == 13:
            raise Killed

    with pytest.raises(Killed):
        searched(folder, unit, tmp_path / "notes", count=9, on_picture=kill)
    again = []
    resumed = searched(
        folder, unit, tmp_path / "notes", count=9, on_picture=lambda so_far: again.append(len(so_far.done))
    )
    assert resumed == whole
    assert again == list(range(10, COUNT + 2))  # on from those of the last note
    sheets = [
        b"".join(look.picture.tobytes() for look in exemplar_looks(folder, found.best[0])) for found in (whole, resumed)
    ]
    assert sheets[0] == sheets[1]


def test_ctrl_c_notes_down_every_picture(folder, tmp_path):
    def stop(so_far):
        if len(so_far.done) == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(folder, Channel(tiny(), "two", 5), tmp_path / "notes", on_picture=stop)
    assert len(json.loads((tmp_path / "notes").read_text())["done"]) == 7


def test_a_picture_that_ctrl_c_came_amid_is_taken_once(folder, tmp_path, monkeypatch):
    """It is among the best of some units already, and of others not yet."""
    whole, insort, taken = searched(folder, many(), tmp_path / "whole", count=COUNT), exemplars.insort, []

    def stopping(best, exemplar):
        insort(best, exemplar)
        taken.append(exemplar)
        if len(taken) == 14:
            raise KeyboardInterrupt

    monkeypatch.setattr(exemplars, "insort", stopping)
    with pytest.raises(KeyboardInterrupt):
        searched(folder, many(), tmp_path / "notes", count=COUNT)
    name = taken[-1].name
    assert taken[-2].name == name and name not in json.loads((tmp_path / "notes").read_text())["done"]
    assert searched(folder, many(), tmp_path / "notes", count=COUNT) == whole


@pytest.mark.parametrize(
    "other", [{"channel": 6}, {"least": True}, {"size": 40}, {"layer": "one"}], ids=lambda change: next(iter(change))
)
def test_notes_of_another_search_are_not_heeded(folder, tmp_path, other):
    def stop(so_far):
        if len(so_far.done) == 20:
            raise KeyboardInterrupt

    plain = {"network": tiny(), "layer": "two", "channel": 5}
    with pytest.raises(KeyboardInterrupt):
        searched(folder, Channel(**plain), tmp_path / "notes", on_picture=stop)
    looked = []
    searched(
        folder,
        Channel(**{**plain, **other}),
        tmp_path / "notes",
        on_picture=lambda so_far: looked.append(len(so_far.done)),
    )
    assert looked == list(range(COUNT + 2))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"of": 1, "best": [{"rank": 3}], "done": 5}', "\0"])
def test_notes_that_make_no_sense_are_not_heeded(folder, tmp_path, text):
    (tmp_path / "notes").write_text(text)
    assert len(searched(folder, Channel(tiny(), "two", 5), tmp_path / "notes").best[0]) == 9


def test_never_more_than_the_best_are_kept(folder, tmp_path, monkeypatch):
    """Of structure: no picture outlives its turn, and the list of the best never grows beyond `count`."""
    alive, most, lengths = weakref.WeakSet(), [], []

    def watched(path, **options):
        photo = load(path, **options)
        alive.add(photo)
        return photo

    def look(so_far):
        most.append(len(alive))
        lengths.append(len(so_far.best[0]))

    monkeypatch.setattr(exemplars, "load", watched)
    searched(folder, Channel(tiny(), "two", 5), tmp_path / "notes", count=3, on_picture=look)
    assert max(most) <= 2 and max(lengths) == 3 and len(lengths) == COUNT + 2


def test_a_unit_is_named_by_number_name_or_class():
    network = replace(tiny(), channels={"two": {"scale": 7}}, labels=tuple("abcdefghijkl"))
    assert [Channel.named(network, "two", name).channel for name in ("3", "scale", "c")] == [3, 7, 2]
    with pytest.raises(UsageError, match=r"channels 0 to 11; did you mean scale"):
        Channel.named(network, "two", "scales")
    with pytest.raises(UsageError, match="channels 0 to 7"):
        Channel.named(network, "one", "8")


def test_a_sheet_shows_the_best_of_the_folder_and_the_least_are_another(folder, tmp_path):
    sheet = tmp_path / "sheet.png"
    ran = dreamer("exemplars", folder, "--channel", "3", "-o", sheet, "--count", "4", "--steps", "2")
    assert ran.code == 0 and ran.out == "" and "4 of 25 pictures" in ran.err
    assert f"{sheet} is done in " in ran.err and "skipped broken.png" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    first = sheet.read_bytes()
    with Image.open(sheet) as picture:
        assert picture.size == (3 * 514 + 14, 2 * 256 + 14)  # five tiles: the unit's own picture comes first
    refused(dreamer("exemplars", folder, "--channel", "3", "-o", sheet), "--force replaces it")
    least = dreamer(
        "exemplars", folder, "--channel", "3", "-o", sheet, "--force", "--least", "--count", "4", "--steps", "0"
    )
    assert least.code == 0 and sheet.read_bytes() != first


def test_the_progress_of_a_search_is_told_in_json_and_silenced(folder, tmp_path):
    words = ("exemplars", folder, "--channel", "3", "--steps", "0", "--progress")
    ran = dreamer(*words, "json", "-o", tmp_path / "sheet.png")
    assert ran.code == 0 and ran.err == ""
    assert ran.events[0] == {"event": "start", "photo": str(folder), "number": 1, "total": 1}
    pictures = [event for event in ran.events if event["event"] == "picture"]
    assert [event["picture"] for event in pictures] == list(range(1, COUNT + 2))
    assert all(event["pictures"] == COUNT + 1 for event in pictures) and pictures[-1]["share"] == 1
    assert ran.events[-1]["event"] == "done" and ran.events[-1]["result"] == str(tmp_path / "sheet.png")
    ran = dreamer(*words, "none", "-o", tmp_path / "other.png")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_ctrl_c_and_the_same_command_goes_on(folder, tmp_path, monkeypatch):
    seen, load = [], exemplars.load

    def stopping(path, **options):
        seen.append(path)
        if len(seen) == 9:
            raise KeyboardInterrupt
        return load(path, **options)

    words = ("exemplars", folder, "--channel", "3", "--steps", "0", "-o", tmp_path / "sheet.png")
    with monkeypatch.context() as patch:
        patch.setattr(exemplars, "load", stopping)
        ran = dreamer(*words)
    assert ran.code == 130 and ran.err.splitlines() == [
        "dreamer: interrupted",
        "run the same command again to continue",
    ]
    ran = dreamer(*words, "--progress", "json")
    events = [event for event in ran.events if event["event"] == "picture"]
    assert ran.code == 0 and [event["picture"] for event in events] == list(range(9, COUNT + 2))
    assert events[0]["share"] == pytest.approx(1 / (COUNT + 1 - 8), abs=1e-4)  # of what was left


def test_a_picture_of_the_folder_is_never_overwritten(folder, tmp_path):
    name = next(path for path in sorted(folder.iterdir()) if path.suffix == ".png")
    before = name.read_bytes()
    refused(dreamer("exemplars", folder, "--channel", "3", "-o", name, "--force"), "which is never overwritten")
    weights = tmp_path / "weights.png"  # they are known by their content
    weights.write_bytes(before)
    read = ("-o", weights, "--weights", weights, "--channel", "3", "--force")
    refused(dreamer("exemplars", folder, *read), "weights.png is the input")
    for option in ("--weights", "--direction"):
        refused(dreamer("visualize", "-o", weights, option, weights, "--force"), "weights.png is the input")
    assert name.read_bytes() == before


def test_the_cap_of_pixels_holds_to_the_end(folder):
    (best,) = searched(folder, Channel(tiny(), "two", 5), folder / ".notes", count=1).best
    assert exemplar_looks(folder, best, max_pixels=10) == [] and len(exemplar_looks(folder, best)) == 1


def test_a_picture_that_is_deleted_during_the_search_is_left_out(folder, tmp_path, monkeypatch):
    copied = tmp_path / "pictures"
    shutil.copytree(folder, copied)

    def gone(*words, **named):
        found = search(*words, **named)
        (copied / found.best[0][0].name).unlink()
        return found

    monkeypatch.setattr(exemplars, "search", gone)
    words = ("exemplars", copied, "--channel", "3", "--steps", "0", "-o", tmp_path / "sheet.png", "--force")
    ran = dreamer(*words, "--count", "4")
    assert ran.code == 0 and "showing 3 of 25 pictures" in ran.err
    ran = dreamer(*words, "--count", "1")
    assert ran.code == 2 and "none of its pictures can be used any more" in ran.err


def test_wrong_wishes_are_told_of_at_once(folder, tmp_path):
    ran = dreamer("exemplars", tmp_path / "none", "--channel", "9000", "-o", tmp_path / "no" / "sheet.xyz")
    refused(ran, "there is no such folder", "there is no folder", "sheet.xyz")
    refused(dreamer("exemplars", folder, "--channel", "9000", "-o", tmp_path / "a.png"), "channels 0 to")
    (tmp_path / "empty").mkdir()
    refused(dreamer("exemplars", tmp_path / "empty", "--channel", "1", "-o", tmp_path / "a.png"), "no pictures")
    (tmp_path / "empty" / "a.jpg").write_bytes(b"x")
    ran = dreamer("exemplars", tmp_path / "empty", "--channel", "1", "-o", tmp_path / "a.png")
    assert ran.code == 2 and "none of its pictures can be used" in ran.err


def test_a_unit_s_own_picture_raises_or_lowers_it():
    """What the sheet begins with is climbed by the unit itself, or by its opposite."""
    from dreamer.api import visualize

    network = tiny()
    means = []
    for least in (False, True):
        unit = Channel(network, "two", 5, least=least)
        (picture,) = visualize(network, unit.objective(), steps=8, size=48)
        means.append(float(network.features(load(picture).image(), ["two"])["two"][0, 5].mean()))
        assert exemplars.unit_look(picture, unit).picture.size == (500, 200)
    assert means[0] > means[1]
