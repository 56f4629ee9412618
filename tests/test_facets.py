"""Facets: several different pictures of one unit, and the folder that they may begin with."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from command import dreamer, left_in, refused, stamp_of
from PIL import Image

import dreamer as api
from dreamer.errors import RecipeError, UsageError
from dreamer.visualization import exemplars
from dreamer.visualization.facets import clusters, without_edges

QUICK = ("--size", "48", "--steps", "1", "--channel", "7", "--progress", "plain")
SIDE = 48


def visualize(*arguments):
    return dreamer("visualize", *QUICK, *arguments)


def cells(path):
    """The pictures of a sheet of two columns, in their order, (N, side, side, 3)."""
    sheet = np.asarray(Image.open(path)).astype(int)
    rows = sheet.shape[0] // SIDE
    return sheet.reshape(rows, SIDE, 2, SIDE, 3).swapaxes(1, 2).reshape(-1, SIDE, SIDE, 3)


@pytest.fixture
def folder(tmp_path):
    """Red pictures with upright stripes, blue ones with level stripes in an inner folder, and one that is none."""
    place = tmp_path / "pictures"
    (place / "blue").mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(6):
        stripes = np.where(np.arange(64) // (3 + number % 3) % 2, 220, 90)[None, :].repeat(52, 0)
        for name, values, colour in (("red", stripes, (1, 0.1, 0.1)), ("blue/", stripes.T, (0.1, 0.1, 1))):
            noisy = (values + random.integers(0, 30, values.shape))[..., None] * np.array(colour)
            Image.fromarray(noisy.astype(np.uint8)).save(place / f"{name}{number}.png")
    (place / "broken.jpg").write_bytes(b"not a picture")
    return place


def test_kmeans_finds_the_clusters_that_there_are_and_the_same_ones_again():
    dice = torch.Generator().manual_seed(1)
    centres = torch.tensor([[0.0, 0], [4, 0], [0, 4]])
    points = torch.cat([centre + 0.3 * torch.randn(9, 2, generator=dice) for centre in centres])
    mixed = torch.randperm(27, generator=dice)
    found = clusters(points[mixed], 3, seed=5)
    assert sorted(sorted(int(mixed[n]) // 9 for n in group) for group in found) == [[0] * 9, [1] * 9, [2] * 9]
    torch.manual_seed(99)
    assert clusters(points[mixed], 3, seed=5) == found
    assert all(clusters(points[mixed], 20, seed=5))  # none is empty
    with pytest.raises(UsageError, match="3 facets need at least 3 different pictures"):
        clusters(torch.ones(9, 2), 3)


def test_a_mean_loses_its_edges_and_keeps_its_colour():
    image = torch.zeros(1, 3, 100, 100)
    image[..., 50:] = 1
    blurred = without_edges(image)
    assert 0.1 < float(blurred.diff(dim=-1).abs().max()) < 0.3
    assert blurred.mean() == pytest.approx(0.5, abs=1e-3)


def test_each_facet_begins_with_pictures_that_are_alike(tmp_path, folder):
    out = tmp_path / "out.png"
    ran = visualize("-o", out, "--facets", "2", "--pictures", folder, "--steps", "0")
    assert ran.code == 0, ran.err
    assert "skipped broken.jpg: " in ran.err and "facet 2 starts from 6 pictures" in ran.err
    (red, _, blue), (other_red, _, other_blue) = cells(out).mean((1, 2))
    assert (red > 3 * blue) != (other_red > 3 * other_blue)
    assert (blue > 3 * red) != (other_blue > 3 * other_red)
    assert left_in(tmp_path) == ["out.png", "pictures"]
    assert visualize("-o", tmp_path / "climbed.png", "--facets", "2", "--pictures", folder).code == 0
    assert np.abs(cells(tmp_path / "climbed.png") - cells(out)).mean() > 1


def test_facets_that_begin_with_nothing_are_held_apart(tmp_path):
    settings = ("--steps", "24", "--layer", "m4b")
    assert visualize("-o", tmp_path / "seeds.png", "--count", "4", *settings).code == 0
    assert visualize("-o", tmp_path / "facets.png", "--facets", "4", *settings).code == 0
    network, distance = api.load_network("reverie"), {}
    for name in ("seeds", "facets"):
        images = torch.from_numpy(cells(tmp_path / f"{name}.png")).permute(0, 3, 1, 2) / 255
        with torch.no_grad():
            means = network.features(images, ["m5a"])["m5a"].mean((2, 3))
        distance[name] = float(torch.cdist(means, means).sum() / means.norm(dim=1).mean())
    assert distance["facets"] > 1.1 * distance["seeds"]
    recipe = stamp_of(tmp_path / "facets.png")["recipe"]
    assert [item["name"] for item in recipe["objectives"]] == ["channel", "diversity"] and recipe["pictures"] == 4


def test_the_pictures_belong_to_what_decides_the_sheet(tmp_path, folder):
    out = tmp_path / "out.png"
    arguments = ("-o", out, "--facets", "2", "--pictures", folder)
    assert visualize(*arguments).code == 0
    before = out.read_bytes()
    assert visualize(*arguments).code == 0  # done already
    assert visualize(*arguments, "--force").code == 0 and out.read_bytes() == before
    Image.new("RGB", (60, 60), (30, 200, 40)).save(folder / "green.png")
    ran = visualize(*arguments)
    assert ran.code == 2 and "out.png already exists; --force replaces it" in ran.err
    assert out.read_bytes() == before
    again = dreamer("visualize", "-o", tmp_path / "again.png", "--recipe", out, "--progress", "plain")
    assert again.code == 0 and "the pictures are different" in again.err


def test_an_interrupted_search_goes_on(tmp_path, folder, monkeypatch):
    looked, load = [], exemplars.load

    def stop(path, **options):
        if len(looked) == 4:
            raise KeyboardInterrupt
        looked.append(path)
        return load(path, **options)

    monkeypatch.setattr(exemplars, "load", stop)
    arguments = ("--facets", "2", "--pictures", folder)
    assert visualize("-o", tmp_path / "out.png", *arguments).code == 130
    assert left_in(tmp_path) == [".out.png.facets", "pictures"]
    again = []
    monkeypatch.setattr(exemplars, "load", lambda path, **options: again.append(path) or load(path, **options))
    assert visualize("-o", tmp_path / "out.png", *arguments).code == 0
    assert len(looked) + len(again) == 13 and not set(looked) & set(again)
    assert left_in(tmp_path) == ["out.png", "pictures"]
    assert visualize("-o", tmp_path / "whole.png", *arguments).code == 0
    assert (tmp_path / "out.png").read_bytes() == (tmp_path / "whole.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--facets", "2", "--pictures", "empty"], ["--pictures empty: there are no pictures in this folder"]),
        (["--facets", "2", "--pictures", "absent"], ["--pictures absent: there is no such folder"]),
        (["--facets", "20", "--pictures", "pictures"], ["not enough pictures, only 13 for 20 facets"]),
        (["--facets", "13", "--pictures", "pictures"], ["13 facets need at least 13 usable pictures", "broken"]),
        (["--pictures", "pictures"], ["--pictures needs --facets N"]),
        (["--facets", "2", "--count", "2"], ["--facets and --count cannot be combined"]),
        (
            ["pictures/red0.png", "--facets", "2"],
            ["--facets cannot be used with a photo; leave out pictures/red0.png"],
        ),
        (["--facets", "1"], ["1 is not a whole number from 2 to 64"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and "--" in " ".join(value)[:30] else "",
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path, folder, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    refused(visualize("-o", "out.png", *arguments), *words)
    assert left_in(tmp_path) == ["empty", "pictures"]


def test_pictures_that_are_all_alike_have_no_facets(tmp_path):
    (tmp_path / "alike").mkdir()
    for number in range(3):
        Image.new("RGB", (60, 60), (90, 90, 90)).save(tmp_path / "alike" / f"{number}.png")
    ran = visualize("-o", tmp_path / "out.png", "--facets", "2", "--pictures", tmp_path / "alike")
    refused(ran, "2 facets need at least 2 different pictures")
    assert left_in(tmp_path) == ["alike"]


def test_python_gets_one_picture_for_each_facet(folder):
    words = {"channel": 7, "size": SIDE, "steps": 1}
    pictures = api.visualize("reverie", facets=2, folder=folder, **words)
    assert [picture.size for picture in pictures] == [(SIDE, SIDE)] * 2
    assert np.asarray(pictures[0]).tobytes() != np.asarray(pictures[1]).tobytes()
    with pytest.raises(RecipeError, match="facets start from noise or a folder"):
        api.visualize("reverie", folder=folder, **words)


def test_facets_in_python_look_at_pictures_alone(folder, tmp_path):
    words = {"channel": 7, "size": SIDE, "steps": 1}
    (folder / "notes.txt").write_text("no picture")
    with pytest.raises(UsageError) as raised:
        api.visualize("reverie", facets=13, folder=folder, **words)
    assert "broken.jpg" in str(raised.value) and "notes.txt" not in str(raised.value)
    for name, why in (("none", "there is no such folder"), ("empty", "there are no pictures in this folder")):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(UsageError, match=f"{name}: {why}"):
            api.visualize("reverie", facets=2, folder=tmp_path / name, **words)


def test_a_picture_of_the_folder_is_never_overwritten(folder):
    name = min(folder.glob("*.png"))
    before = name.read_bytes()
    wish = ("--facets", "2", "--pictures", folder, "--force")
    refused(visualize("-o", name, *wish), "itself, which is never overwritten")
    assert name.read_bytes() == before
