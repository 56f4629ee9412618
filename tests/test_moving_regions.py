"""Regions in zooms and films: masks move as the photo does, or with what was filmed; outside, nothing changes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import made
from command import dreamer, left_in, photo, refused
from networks import tiny
from PIL import Image
from test_video import SIZE, interrupted, shots
from test_zooming import picture
from torch.nn.functional import max_pool2d

import dreamer as program
from dreamer.api import registry
from dreamer.api.regions import regions_of
from dreamer.errors import UsageError
from dreamer.pipeline.build import build
from dreamer.videos.clip.reader import read_recipe
from dreamer.videos.clip.state import MemoryStore
from dreamer.videos.film.film import Film
from dreamer.videos.zoom.frames import frames_of
from dreamer.videos.zoom.scene import Scene
from dreamer.videos.zoom.zoom import Zoom

WORDS = {"octaves": {"count": 2, "steps": 2, "step_size": 0.02}}


def square(height=48, width=64):
    """A mask: white in the middle."""
    values = np.zeros((height, width), np.uint8)
    values[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = 255
    return values


def dreams(regions, **words):
    found, masks = regions_of(regions, 10**7)
    return build({**WORDS, "regions": found, **words}, registry(), network=tiny(), masks=masks)


def zoomed(regions, source=None, **settings):
    composed = dreams(regions, strength=settings.pop("strength", 1.0))
    zoom = Zoom(**{"seconds": 1.0, "fps": 3, "rate": 2.0, "angle": 20.0, **settings})
    source = picture() if source is None else source
    made = frames_of(Scene(source, zoom, (48, 64), lambda time: composed, MemoryStore(), 1.5))
    return [made.frame(number) for number in range(zoom.frames)]


@pytest.mark.parametrize("settings", [{"centre": (0.7, 0.4)}, {"mode": "feedback"}, {"loop": True}], ids=str)
def test_a_zoom_moves_masks_as_the_photo_and_shows_the_photo_alone_outside(settings):
    """Where the mask is comes from a zoom over the mask itself, a pixel larger; a spline rings a little about it."""
    regions = [(square(), None), ("top:40%", "keep")]
    mask = torch.from_numpy(square()).float().div(255)
    mask[:19] = 0
    grown = max_pool2d(mask[None], 3, 1, 1)
    inside, there = (zoomed([], each.expand(1, 3, -1, -1), strength=0.0, **settings) for each in (mask, grown))
    plain = zoomed([], strength=0.0, **settings)
    for number, frame in enumerate(zoomed(regions, **settings)):
        change = (frame - plain[number]).abs().amax(1)
        assert change[there[number][:, 0] < 1e-4].max() == 0
        within = change[inside[number][:, 0] > 0.98]
        assert not len(within) or within.mean() > 0.005


@pytest.mark.parametrize("mode", ["keyframes", "feedback"])
def test_a_region_that_is_everywhere_is_none(mode):
    everywhere = zoomed([("all", None)], mode=mode)
    assert all(torch.equal(a, b) for a, b in zip(everywhere, zoomed([], mode=mode), strict=True))


def test_a_region_that_goes_out_of_sight_leaves_the_photo():
    regions = [("right:10%", None)]
    last, plain = (zoomed(each, rate=4.0, angle=0.0)[-1] for each in (regions, []))
    assert torch.equal(last, zoomed(regions, rate=4.0, angle=0.0, strength=0.0)[-1]) and not torch.equal(last, plain)


def test_a_zoom_has_the_same_regions_throughout(tmp_path):
    file, one = tmp_path / "top.toml", photo(tmp_path / "one.png")
    file.write_text('schema = 1\n[[regions]]\nmask = "top"\n')
    keys = tmp_path / "keys.toml"
    keys.write_text(f"[[keyframes]]\ntime = 1\npreset = '{file}'\n")
    refused(dreamer("zoom", one, "--keyframes", keys), "regions: the looks of a zoom's keyframes have different ones")
    keys.write_text("[[keyframes]]\ntime = 1\nregions = []\n")
    refused(dreamer("zoom", one, "--keyframes", keys), "keyframes[0].regions: regions are the same throughout a zoom")
    with pytest.raises(UsageError, match="leave no place in which anything could grow"):
        program.zoom(one, regions=[("top", None), ("all", "keep")], network=tiny())


def test_a_zoom_for_a_python_program():
    settings = {"network": tiny(), "size": 64, "seconds": 0.5, "fps": 4, "returns": "array", **WORDS}
    source = (picture()[0].permute(1, 2, 0) * 255).round().byte().numpy()
    one, _ = program.zoom(source, regions=[("left", "keep"), ("centre", "keep")], **settings)
    plain, _ = program.zoom(source, strength=0.0, **settings)
    assert (one == plain)[:, :32].all() and (one != plain)[:, 56:].mean() > 0.5


def film(regions, **words):
    composed = dreams(regions, **words)
    return Film(composed, 96, composed.plan(*SIZE), 0.7)


def off(dreamt, source):
    """How far each pixel of a dream is from its frame, (H, W)."""
    return np.abs(dreamt.frame.astype(int) - source[1]).max(2)


def middle(values):
    """The mean x of what is not 0."""
    return float((values * np.arange(values.shape[1])).sum() / values.sum())


def test_a_masks_file_rides_on_the_motion_and_outside_the_clip_stays():
    source = shots(4, step=2)
    for number, dreamt in enumerate(film([(square(*SIZE), None)]).dreams(source)):
        mask = dreamt.masks[0, 0].float().numpy()
        assert middle(mask) == pytest.approx(47.5 - 2 * number, abs=0.1)
        assert mask.sum() == pytest.approx(36 * 48, rel=0.002), "and does not smear"
        change = off(dreamt, source[number])
        assert change[mask == 0].max() == 0 and change[mask > 0].mean() > 1


def test_at_a_cut_it_begins_again_and_formulas_stay_where_they_are():
    source = [*shots(2, step=2), *shots(2, step=2, seed=6)]
    dreamt = [*film([(square(*SIZE), None), ("right:20%", None)]).dreams(source)]
    assert [round(middle(d.masks[0, 0].float().numpy())) for d in dreamt] == [48, 46, 48, 46]
    found = [off(each, frame) for each, frame in zip(dreamt, source, strict=True)]
    assert all(change[:6, 70:76].max() == 0 < change[:6, 84:].mean() for change in found), (
        "though things move out of it"
    )


def test_a_colour_is_found_in_each_frame():
    red = (Image.new("RGB", (96, 72), (200, 30, 30)), Image.new("RGB", (96, 72), (30, 30, 200)))
    halves = [np.hstack([np.asarray(a)[:, :48], np.asarray(b)[:, 48:]]) for a, b in (red, red[::-1])]
    source = list(enumerate(halves))
    first, second = film([("colour:#c81e1e", None)]).dreams(source)
    assert off(first, source[0])[:, 48:].max() == 0 < off(first, source[0])[:, :40].max()
    assert off(second, source[1])[:, :48].max() == 0 < off(second, source[1])[:, 56:].max()
    (lost,) = film([("colour:#00ff00", None)]).dreams(source[:1])
    assert off(lost, source[0]).max() == 0, "where there is none, nothing grows"


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("regions", [[(square(*SIZE), None), ("top", "keep")], [("colour:#88aadd", None)]], ids=len)
def test_it_goes_on_from_any_frame_as_if_nothing_had_been(regions, every):
    source = shots(4, step=2)
    made = replace(film(regions), every=every)
    whole = [*made.dreams(source)]
    masks = whole[1].masks if whole[1].masks.shape[1] else None
    again = made.dreams(source, begin=2, change=whole[1].change, masks=masks)
    assert all((a.frame == b.frame).all() for a, b in zip(again, whole[2:], strict=True))


def test_between_two_dreams_the_clip_stays_outside():
    source = shots(3, step=8)
    dreamt = [*replace(film([("right:50%", None)]), every=2).dreams(source)]
    first, between, last = (off(each, frame) for each, frame in zip(dreamt, source, strict=True))
    outside = (first.max(0) == 0) & (last.max(0) == 0)
    assert outside[:40].all() and between[:, outside].max() == 0 < between[:, 60:].mean()


def test_a_folder_has_a_mask_for_each_frame(tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    source = made(tmp_path / "clip.mp4", 3)
    for number in range(3):
        values = np.zeros((48, 64), np.uint8)
        values[:, 16 * number : 16 * number + 16] = 255
        Image.fromarray(values).save(masks / f"{number}.png")
    settings = {"network": tiny(), "returns": "array", **WORDS}
    plain = [*program.video(source, strength=0.0, **settings)]
    for k, frame in enumerate(program.video(source, regions=[(f"{masks}", None)], **settings)):
        change = np.abs(frame.astype(int) - plain[k]).max(2)
        assert (
            change[:, 16 * k : 16 * k + 16].mean() > 1 and np.delete(change, range(16 * k, 16 * k + 16), 1).max() == 0
        )
    (masks / "1.png").unlink(), (masks / "2.png").unlink()
    with pytest.raises(UsageError, match="holds 1 mask, and the clip"):
        program.video(source, regions=[(masks, None)], **settings)


@pytest.mark.parametrize(("region", "told"), [("colour:#ff00ff,1", True), ("top", False)])
def test_a_clip_in_which_nothing_could_grow_is_told(tmp_path, region, told):
    source = made(tmp_path / "clip.mp4", 3)
    ran = dreamer("video", source, "--region", f"{region}=bloom", "--every", "2", "--set", "octaves.steps=1")
    assert ran.code == 0
    assert ("in no frame do the regions leave a place in which anything could grow" in ran.err) is told


def test_the_command_resumes_to_the_same_bytes_and_the_recipe_names_the_mask(tmp_path, monkeypatch):
    source, mask = made(tmp_path / "clip.mp4", 4), tmp_path / "face.png"
    Image.fromarray(square()).save(mask)
    words = ("video", source, "--region", f"{mask}=keep", "--set", "octaves.steps=1", "--threads", "1")
    assert dreamer(*words, "-o", tmp_path / "whole.mp4").code == 0
    assert json.loads(read_recipe(tmp_path / "whole.mp4"))["recipe"]["regions"][1]["mask"] == "face.png"
    interrupted(monkeypatch, 2)
    assert dreamer(*words, "-o", tmp_path / "out.mp4").code == 130
    monkeypatch.undo()
    state = tmp_path / ".out.mp4.reel"
    assert [name for name in left_in(state) if name.startswith("masks")] == [
        f"masks-{n:06d}.safetensors" for n in (1, 2)
    ]
    assert dreamer(*words, "-o", tmp_path / "out.mp4", "--resume").code == 0
    assert (tmp_path / "out.mp4").read_bytes() == Path(tmp_path / "whole.mp4").read_bytes()
    assert left_in(tmp_path) == ["clip.mp4", "face.png", "out.mp4", "whole.mp4"]
