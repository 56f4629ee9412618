"""Parts of a photo as masks: what dreamer finds by itself, and what a plugin's segmenter says."""

from __future__ import annotations

import os
from types import ModuleType

import numpy as np
import pytest
import torch
from command import QUICK, dreamer, left_in, photo, pixels, refused, stamp_of
from networks import tiny
from PIL import Image

import dreamer as program
from dreamer import hookimpl
from dreamer.api import registry
from dreamer.api.names import copied
from dreamer.engine.factors import factorised, shares_in
from dreamer.errors import PluginError, RecipeError, UsageError, WriteError
from dreamer.image import load, mask_of
from dreamer.image.photo import Photo
from dreamer.ingredients import segmenters
from dreamer.ingredients.segmenters import parts
from dreamer.pipeline.segments import segments_of
from dreamer.recipes.masks import formula
from dreamer.testing import examine

WIDTH, HEIGHT = 128, 96


def landscape(width=WIDTH, height=HEIGHT):
    """Blue above, a red band, green and rough below: (H, W, 3) in 8 bits."""
    random = np.random.default_rng(0)
    picture = np.zeros((height, width, 3))
    picture[: height // 2] = (0.3, 0.5, 0.9)
    picture[height // 2 : 3 * height // 4] = (0.8, 0.2, 0.2)
    picture[3 * height // 4 :] = (0.2, 0.5, 0.2)
    picture[3 * height // 4 :] += 0.25 * random.standard_normal((height - 3 * height // 4, width, 1))
    return (picture.clip(0, 1) * 255).astype(np.uint8)


def test_a_product_of_few_factors_is_found():
    random = torch.Generator().manual_seed(1)
    shares, directions = torch.eye(3).repeat(20, 1) * torch.rand(60, 1, generator=random), torch.rand(3, 9)
    values = shares @ directions
    found, ways = factorised(values, 3)
    assert (found @ ways - values).norm() < 0.02 * values.norm()
    assert found.min() >= 0 and ways.min() >= 0 and ways.norm(dim=1).sub(1).abs().max() < 1e-5
    assert (shares_in(values, ways) @ ways - values).norm() < 0.03 * values.norm()


def test_parts_are_what_differs_from_top_to_bottom_and_cover_everything_once():
    found = program.parts(landscape(), 3)
    assert all(part.mask.shape == (1, 1, HEIGHT, WIDTH) for part in found)
    assert sum(part.mask for part in found).sub(1).abs().max() < 1e-5
    middles = (HEIGHT // 4, 5 * HEIGHT // 8, 7 * HEIGHT // 8)
    for part, row in zip(found, middles, strict=True):
        assert part.mask[..., row, 16:-16].mean() > 0.8, part
    assert repr(found[0]).startswith("<Part 1: ") and repr(found[0]).endswith("% of 128x96 pixels>")


def test_photos_without_parts_have_masks_too():
    masks = [part.mask for part in program.parts(np.full((40, 60, 3), 90, np.uint8), 4)]
    assert sum(masks).sub(1).abs().max() < 1e-5 and torch.stack(masks).isfinite().all()
    assert len(program.parts(pixels(17, 17), 12)) == 12


def test_the_same_photo_has_the_same_parts_also_when_it_is_seen_at_another_size(monkeypatch):
    monkeypatch.setattr(segmenters, "_SIDE", 128)
    picture = Photo(landscape(256, 192))
    once, again, smaller = (
        parts(image, count=3) for image in (picture.image(), picture.image(), picture.at_most(230).image())
    )
    assert torch.equal(once, again)
    assert once.sub(smaller).abs().mean() < 0.01
    once.zero_()
    assert parts(picture.image(), count=3).any()


def test_the_command_writes_masks_and_a_sheet_and_a_render_finds_the_same(tmp_path):
    source = tmp_path / "p.png"
    Image.fromarray(landscape()).save(source)
    ran = dreamer("parts", source, "--count", 3)
    assert ran.code == 0 and "--region part:2/3=LOOK" in ran.out
    folder = tmp_path / "p-parts"
    assert left_in(folder) == ["part-1.png", "part-2.png", "part-3.png", "parts.png"]
    files = [load(folder / f"part-{number}.png") for number in (1, 2, 3)]
    assert all(file.pixels.shape == (HEIGHT, WIDTH, 1) and file.pixels.dtype == np.uint8 for file in files)
    assert np.abs(sum(file.pixels.astype(int) for file in files) - 255).max() <= 2
    refused(dreamer("parts", source, "--count", 3), "parts.png already exists; --force replaces it")
    assert dreamer("parts", source, "--count", 3, "--force").code == 0
    quick = (*QUICK, "--set", "octaves.count=1", "--feather", 0, "--force")
    assert dreamer("render", source, *quick, "--region", "part:2/3=bloom", "-o", tmp_path / "d.png").code == 0
    change = np.abs(load(tmp_path / "d.png").pixels.astype(int) - load(source).pixels).max(2)
    inside = mask_of(files[1], (HEIGHT, WIDTH))[0, 0].numpy()
    assert change[inside > 0.7].mean() > 5 * change[inside < 0.1].mean()
    assert stamp_of(tmp_path / "d.png")["recipe"]["regions"][0]["mask"] == "part:2/3"
    again = dreamer("render", source, "--recipe", tmp_path / "d.png", "-o", tmp_path / "again.png")
    assert again.code == 0, again.err
    assert (load(tmp_path / "again.png").pixels == load(tmp_path / "d.png").pixels).all()


def test_python_takes_a_part_as_a_mask():
    source = landscape()
    top = program.parts(source, 3)[0]
    dreamt = program.dream(source, network=tiny(), steps=1, regions=[(top, None)], returns="array")
    change = np.abs(dreamt.astype(int) - source).max(2)
    assert change[:24].any() and not change[-8:].any()


@pytest.mark.parametrize(
    "mask", ["part", "part:0", "part:7", "part:9/8", "part:2/1", "part:1/13", "part:x", "segment:parts", "segment::1"]
)
def test_wrong_numbers_of_parts_are_told(mask):
    with pytest.raises(RecipeError, match=r"not a mask; write (part:3|segment:NAME)"):
        formula(mask)


def test_mistakes_are_told_before_anything_is_computed(tmp_path, monkeypatch):
    source = photo(tmp_path / "p.png")
    refused(dreamer("render", source, "--region", "segment:seas:1=bloom"), "no segmenter is called 'seas'")
    refused(dreamer("parts", tmp_path), "is a folder; name one photo")
    refused(dreamer("parts", tmp_path / "no.png", "-o", source), "this is a file; name a folder", "there is no file")
    refused(dreamer("parts", source, "--count", 3, "--segmenter", "parts"), "--count: it is for dreamer's own parts")
    refused(dreamer("parts", source, "--segmenter", "seas"), "no segmenter is called 'seas'")
    (tmp_path / "parts.png").touch()
    monkeypatch.setattr("dreamer.api.part.parts_in", None)
    refused(dreamer("parts", source, "-o", tmp_path), "parts.png already exists; --force replaces it")
    for count in (1, 13, 2.5):
        with pytest.raises(UsageError, match="count: "):
            program.parts(pixels(), count)
    assert left_in(tmp_path) == ["p.png", "parts.png"]


def lightness(photo):
    """Light and shade."""
    light = photo.mean(1, keepdim=True)
    return torch.cat((light, 1 - light)), ("light", "shade")


def test_the_masks_of_a_plugins_segmenter_go_by_name_and_number():
    names = copied(registry())
    names.add_segmenter(lightness, None, "dreamer-light")
    image = load(pixels()).image()
    found = segments_of(names, "dreamer-light:lightness", image)
    assert torch.equal(found.mask("shade", (72, 96)), found.mask("2", (72, 96)))
    assert found.mask("1", (36, 48)).shape == (1, 1, 36, 48)
    with pytest.raises(UsageError, match="2 masks, light, shade; write one of these, or a number from 1 to 2"):
        found.mask("3", (72, 96))


def test_a_program_registers_a_segmenter_for_itself():
    program.register(lightness, "segmenters")
    try:
        found = program.parts(pixels(), segmenter="lightness")
        assert [part.name for part in found] == ["light", "shade"] and "'shade'" in repr(found[1])
        dreamt = program.dream(pixels(), network=tiny(), steps=1, regions=[("segment:lightness:shade", None)])
        assert dreamt.size == (96, 72)
    finally:
        del registry().segmenters.entries["python:lightness"]


WRONG = {
    "it must give masks": lambda photo: photo,
    "it must give masks (N, 1, h, w), or these and their names, and it gave None": lambda photo: None,
    "its masks have NaN or Inf": lambda photo: photo[:, :1] * torch.nan,
    "go from": lambda photo: photo[:, :1] * 9,
    "at most 64": lambda photo: photo[:, :1].repeat(65, 1, 1, 1),
    "name each of its 1 masks": lambda photo: (photo[:, :1], ("a", "b")),
    "failed (ZeroDivisionError": lambda photo: 1 / 0,
}


@pytest.mark.parametrize("words", WRONG)
def test_what_a_plugin_gives_is_checked_and_blamed_on_it(words):
    names = copied(registry())
    names.add_segmenter(WRONG[words], "odd", "dreamer-odd")
    with pytest.raises(PluginError) as caught:
        segments_of(names, "odd", load(pixels()).image())
    assert words in str(caught.value) and "segmenter odd of the plugin dreamer-odd" in str(caught.value)


def drawn(photo):
    """Something else each time."""
    return torch.rand(2, 1, 8, 8)


def greedy(photo):
    """Changes what it is given."""
    return photo.mul_(0.5)[:, :1]


def test_the_kit_checks_segmenters():
    def of(*functions):
        module = ModuleType("dreamer_light")
        module.register_segmenters = hookimpl(lambda register: [register(function) for function in functions])
        return {finding.name: finding for finding in examine(module) if finding.kind == "segmenter"}

    found = of(lightness, drawn, greedy)
    assert found["lightness"].ok and "2 masks" in found["lightness"].sentence
    assert "other masks for the same photo" in found["drawn"].sentence
    assert "in place" in found["greedy"].sentence


def test_a_full_stdout_costs_no_mask(tmp_path, monkeypatch):
    def full(text):
        raise WriteError("standard output cannot be written: No space left on device")

    monkeypatch.setattr("dreamer.cli.parts.echo", full)
    ran = dreamer("parts", photo(tmp_path / "p.png", 32, 32), "--count", 2)
    assert ran.code == 1 and "dreamer: standard output cannot be written" in ran.err
    assert left_in(tmp_path / "p-parts") == ["part-1.png", "part-2.png", "parts.png"]


def test_masks_go_through_no_link_that_nobody_named(tmp_path, monkeypatch):
    source = photo(tmp_path / "p.png", 32, 32)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "p-parts").symlink_to("theirs")
    assert dreamer("parts", source, "--count", 2, "-o", tmp_path / "p-parts").code == 0
    before = (tmp_path / "theirs" / "parts.png").read_bytes()
    monkeypatch.setattr("dreamer.api.part.parts_in", None)
    refused(dreamer("parts", source, "--count", 3, "--force"), "p-parts is a link; name it with -o")
    assert (tmp_path / "theirs" / "parts.png").read_bytes() == before
    monkeypatch.setattr("dreamer.cli.photos.os.access", lambda path, mode: mode != os.W_OK)
    refused(dreamer("parts", source, "-o", tmp_path / "new"), "writing in", "is not permitted")
