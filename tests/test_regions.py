"""Regions: parts of a photo with looks of their own; outside of them every byte is the photo's."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from command import dreamer, photo, pixels, refused, render, stamp_of
from networks import tiny
from PIL import Image

import dreamer as program
from dreamer.api import registry
from dreamer.api.regions import regions_of
from dreamer.api.values import with_functions
from dreamer.cli.regions import with_regions
from dreamer.engine.areas import Areas, layered, side
from dreamer.engine.objective import WeightedObjective
from dreamer.engine.score import Scorer
from dreamer.engine.step import Step, StepContext
from dreamer.errors import DreamerError
from dreamer.image import load, mask_of
from dreamer.ingredients.objectives import deepdream
from dreamer.motifs.sample_scene import scene
from dreamer.pipeline.build import build
from dreamer.recipes.masks import formula
from dreamer.recipes.preset import find_preset

WIDTH, HEIGHT = 96, 72


def shape(width=WIDTH, height=HEIGHT, dtype=np.uint8):
    """A mask: its left third black, a grey column, the rest white."""
    values = np.zeros((height, width), dtype)
    values[:, width // 3] = np.iinfo(dtype).max // 2
    values[:, width // 3 + 1 :] = np.iinfo(dtype).max
    return values


def mask(path, values=None):
    Image.fromarray(shape() if values is None else values).save(path)
    return path


def values_of(path):
    return load(path).pixels.astype(int)


def dream(source, **settings):
    """A dream by a tiny network, as an array."""
    return program.dream(source, network=tiny(), steps=2, returns="array", **settings)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "settings", [{}, {"strength": 0.7}, {"init": "noise"}, {"updates": ["blur"]}, {"canvas": "fourier"}]
)
def test_outside_of_all_masks_the_photo_stays_as_it_is(depth, settings):
    source = pixels(depth=depth)
    outside = shape() == 0
    octaves = {"count": 3, "scale": 1.3}
    dreamt = dream(source, regions=[(shape(), None), ("ellipse:0.5,0.5,0.2,0.2", "keep")], octaves=octaves, **settings)
    assert dreamt.dtype == depth
    change = np.abs(dreamt.astype(int) - source).max(2)
    assert change[outside].max() == 0
    assert change[HEIGHT // 2, WIDTH // 2] == 0  # what is kept
    assert change[:, -20:].max() > 0


def test_the_pictures_after_single_steps_stay_outside_of_masks_too():
    source, seen = pixels(), []
    look = {"regions": [(shape(), None)], "octaves": {"count": 3, "scale": 1.3}}
    dream(source, **look, on_step=lambda step: seen.append(step.picture()))
    undreamt = load(source).image()
    outside = torch.from_numpy(shape() == 0)
    assert len(seen) == 6
    assert all((picture - undreamt)[..., outside].abs().max() == 0 for picture in seen)


@pytest.mark.parametrize(
    "settings",
    [{}, {"transforms": ["rotate", {"name": "pad", "border": "grey"}]}, {"objectives": ["deepdream", "content"]}],
)
@pytest.mark.parametrize("everywhere", ["all", "top:100%", "not:colour:#00ff00", np.full((5, 9), 255, np.uint8)])
def test_a_region_that_covers_everything_is_no_region(everywhere, settings):
    source = pixels()
    octaves = {"count": 2}
    whole = dream(source, octaves=octaves, **settings)
    covered = dream(source, octaves=octaves, regions=[(everywhere, None)], **settings)
    assert (whole == covered).all()


def test_a_look_everywhere_is_its_preset(tmp_path):
    one = photo(tmp_path / "one.png")
    for name, how in (("preset", ["--preset", "bloom"]), ("region", ["--preset", "bloom", "--region", "all=bloom"])):
        assert render(one, "-o", tmp_path / f"{name}.png", *how).code == 0
    assert (values_of(tmp_path / "preset.png") == values_of(tmp_path / "region.png")).all()


def two_regions(image, tile, dtype=torch.float64):
    """The gradient of two looks that overlap, under a transform."""
    height, width = image.shape[-2:]
    masks = [side("top", 0.6, (height, width)), side("left", 0.7, (height, width))]
    areas = layered(masks, [False, False], 8)
    terms = tuple(
        WeightedObjective(layer, 1.0 + k, layer, lambda seen, moment: deepdream(seen), area=k)
        for k, layer in enumerate(("one", "two"))
    )
    moved = lambda picture: picture.roll((5, -9), (-2, -1))  # noqa: E731
    moment = StepContext(image, image, Step(0, 1, 0, 1, 0.0, (height, width)), moved, areas=areas)
    scorer = Scorer(tiny(), terms, device=torch.device("cpu"), precision=dtype, tile=tile, notify=print)
    return scorer.gradient(moved(image), moment)


@pytest.mark.parametrize(("tile", "size"), [(32, (118, 141)), (40, (64, 201))])
def test_tiles_of_two_overlapping_regions_add_up_to_the_whole(tile, size):
    image = scene(size[1], size[0]).double()
    score, whole = two_regions(image, 0)
    tiled_score, tiled = two_regions(image, tile)
    assert (tiled - whole).abs().max() < 1e-9 * whole.abs().max()
    assert tiled_score == pytest.approx(score, rel=1e-9)


def test_picture_and_mask_are_moved_alike():
    """What grows at the top does so wherever the transforms have put it."""
    image = torch.rand(1, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    areas = Areas(side("top", 0.25, (64, 64))[0][None])
    moved = lambda picture: picture.roll(32, -2)  # noqa: E731
    moment = StepContext(image, image, Step(0, 1, 0, 1, 0.0, (64, 64)), moved, areas=areas)
    term = WeightedObjective("x", 1.0, "one", lambda seen, moment: deepdream(seen), area=0)
    scorer = Scorer(tiny(), (term,), device=torch.device("cpu"), precision=torch.float64, tile=0, notify=print)
    slope = scorer.gradient(image, moment)[1].abs().sum((0, 1, 3))
    assert slope[32:48].min() > 0 and slope[:24].max() == slope[56:].max() == 0


def test_the_later_region_lies_above_and_looks_blend_where_they_meet():
    top, left = (side(name, 0.5, (100, 100)) for name in ("top", "left"))
    hard = layered([top, left], [False, False], 0)
    assert hard.shares[0, 0, 10, 10] == 0 and hard.shares[1, 0, 10, 10] == 1  # where both are white
    assert hard.shares[0, 0, 10, 90] == 1 and hard.whole[0, 0, 90, 90] == 0
    kept = layered([top, left], [False, True], 0)
    assert kept.shares.shape[0] == 1 and kept.whole[0, 0, 10, 10] == 0 and kept.whole[0, 0, 10, 90] == 1
    soft = layered([top, left], [False, False], 10)
    assert (soft.whole[hard.whole == 0] == 0).all()  # black stays black
    assert 0 < soft.whole[0, 0, 45, 80] < 1  # towards the outside the edge is soft
    seam = soft.shares[:, 0, 20, 45:55]
    assert torch.allclose(seam.sum(0), torch.ones(10)) and (seam > 0).all()  # and no gap lies between two looks


def test_a_uniform_grey_mask_halves_the_dream():
    source = pixels()
    octaves = {"count": 1}
    whole, half = (
        program.dream(
            source, network=tiny(), steps=1, returns="tensor", octaves=octaves, regions=[(grey, None)], spare=0
        )
        for grey in (np.full((9, 9), 65535, np.uint16), np.full((9, 9), 32768, np.uint16))
    )
    change, halved = (picture - load(source).image()[0] for picture in (whole, half))
    assert torch.allclose(halved, change / 2, atol=1e-4)


def test_a_regions_strength_scales_its_dream():
    source, left = load(pixels()), slice(0, WIDTH // 2 - 3)
    whole, mixed = (
        program.dream(
            source.pixels,
            network=tiny(),
            steps=1,
            returns="tensor",
            regions=[("all", None), ("left", {"strength": share})],
        )
        - source.image()[0]
        for share in (1.0, 0.5)
    )
    assert torch.allclose(mixed[..., left], whole[..., left] / 2, atol=1e-6)
    assert torch.equal(mixed[..., WIDTH // 2 + 3 :], whole[..., WIDTH // 2 + 3 :])


def test_a_kept_region_leaves_the_strengths_of_the_others_in_their_order():
    source = load(pixels())
    whole, mixed = (
        program.dream(
            source.pixels,
            network=tiny(),
            steps=1,
            returns="tensor",
            regions=[("all", None), ("top", "keep"), ("left", {"strength": share})],
        )
        - source.image()[0]
        for share in (1.0, 0.5)
    )
    below = (..., slice(HEIGHT // 2 + 3, HEIGHT), slice(0, WIDTH // 2 - 3))
    assert whole[below].abs().max() > 0.01 and torch.allclose(mixed[below], whole[below] / 2, atol=1e-6)


def test_a_small_region_dreams_no_harder_than_the_whole():
    source = pixels()
    spot = np.s_[30:42, 42:54]
    changes = [
        np.abs(dream(source, regions=[(where, None)], feather=0).astype(int) - source)[spot].mean()
        for where in ("all", "ellipse:50%,50%,25%,25%")
    ]
    assert changes[1] < 2 * changes[0]


def as_alpha(path):
    image = Image.new("RGBA", (WIDTH, HEIGHT), (10, 200, 30, 0))
    image.putalpha(Image.fromarray(shape()))
    image.save(path)


def as_palette(path):
    Image.fromarray(shape()).convert("RGB").quantize(4).save(path)


def sideways(path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    Image.fromarray(np.rot90(shape())).save(path, exif=exif)


def as_bits(path):
    Image.fromarray(shape()).convert("1", dither=Image.Dither.NONE).save(path)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("grey.png", mask),
        ("colours.png", lambda path: Image.fromarray(shape()).convert("RGB").save(path)),
        ("deep.png", lambda path: Image.fromarray(shape(dtype=np.uint16)).save(path)),
        ("deep.tif", lambda path: Image.fromarray(shape(dtype=np.uint16)).save(path)),
        ("alpha.png", as_alpha),
        ("palette.png", as_palette),
        ("sideways.png", sideways),
        ("bits.png", as_bits),
        ("photo.jpg", lambda path: Image.fromarray(shape()).save(path, quality=95)),
    ],
)
def test_every_kind_of_mask_file_is_the_same_mask(tmp_path, name, write):
    write(tmp_path / name)
    found = mask_of(load(tmp_path / name), (HEIGHT, WIDTH))[0, 0]
    expected = torch.from_numpy(shape()) / 255
    assert found.shape == expected.shape
    sure = (torch.arange(WIDTH) - WIDTH // 3).abs() > (8 if name.endswith(".jpg") else 0)
    assert torch.equal(found[:, sure], expected[:, sure])


def test_a_mask_of_another_size_is_stretched_and_says_so(tmp_path):
    one = photo(tmp_path / "one.png")
    mask(tmp_path / "half.png", shape(48, 36))
    mask(tmp_path / "tall.png", shape(48, 96))
    ran = render(one, "-o", tmp_path / "a.png", "--region", tmp_path / "half.png")
    assert ran.code == 0 and "stretched" not in ran.err
    ran = render(one, "-o", tmp_path / "b.png", "--region", tmp_path / "tall.png")
    assert ran.code == 0 and "tall.png: a mask of 48x96 pixels was stretched to the picture's 96x72" in ran.err
    for name in "ab":
        change = np.abs(values_of(tmp_path / f"{name}.png") - values_of(one)).max((0, 2))
        assert change[: WIDTH // 3 - 2].max() == 0 and change[WIDTH // 2 :].max() > 0


def test_a_mask_by_colour_dreams_near_that_colour_alone():
    source = np.full((64, 64, 3), (136, 170, 221), np.uint8)
    source[32:] = (200, 40, 30)
    found = np.abs(dream(source, regions=[("colour:#88aadd", None)]).astype(int) - source).max((1, 2))
    assert found[:28].max() > 0 and found[32:].max() == 0


def test_only_kept_regions_leave_the_rest_to_the_recipe(tmp_path):
    one = photo(tmp_path / "one.png")
    assert render(one, "-o", tmp_path / "a.png", "--region", "left=keep").code == 0
    change = np.abs(values_of(tmp_path / "a.png") - values_of(one)).max((0, 2))
    assert change[: WIDTH // 2].max() == 0 and change[WIDTH // 2 + 4 :].max() > 0


def test_a_stamped_recipe_repeats(tmp_path):
    one = photo(tmp_path / "one.png")
    file = mask(tmp_path / "sky.png")
    looks = ["--region", f"{file}=bloom", "--region", "not:bottom:70%=gaze", "--feather", "5%"]
    assert render(one, "-o", tmp_path / "a.png", *looks).code == 0
    regions = stamp_of(tmp_path / "a.png")["recipe"]["regions"]
    assert [(region["mask"], region["look"]) for region in regions] == [("sky.png", "bloom"), ("bottom:70%", "gaze")]
    assert regions[1]["invert"] and regions[0]["sha256"] == load(file).sha256
    assert str(tmp_path) not in str(stamp_of(tmp_path / "a.png"))
    again = dreamer("render", one, "-o", tmp_path / "b.png", "--recipe", tmp_path / "a.png")
    refused(again, "sky.png: the recipe has a region with this mask, and its file is needed: --region sky.png")
    other = file.rename(tmp_path / "renamed.png")  # its hash is enough
    again = dreamer("render", one, "-o", tmp_path / "b.png", "--recipe", tmp_path / "a.png", "--region", other)
    assert again.code == 0 and "not byte for byte" not in again.err
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    mask(tmp_path / "sky.png", shape()[:, ::-1].copy())  # of that name, and another picture
    ran = dreamer(
        "render", one, "-o", tmp_path / "c.png", "--recipe", tmp_path / "a.png", "--region", tmp_path / "sky.png"
    )
    assert ran.code == 0 and "the recipe is different" in ran.err


@pytest.mark.parametrize(
    ("regions", "told"),
    [
        (("top=bloom",), True),
        (("top=bloom", "left=keep"), True),
        (("top=dreamer-art:gaze",), False),
        (("top=bloom", "left"), False),
    ],
)
def test_a_preset_that_grows_in_no_region_is_told(tmp_path, regions, told):
    words = [word for region in regions for word in ("--region", region)]
    ran = render(photo(tmp_path / "one.png"), "--preset", "gaze", *words)
    assert ran.code == 0 and ("preset gaze: each region has a look of its own" in ran.err) == told


@pytest.mark.parametrize("order", [1, -1])
def test_all_regions_can_be_turned_round(tmp_path, order):
    one = photo(tmp_path / "one.png")
    words = [["--region", "top:25%=bloom"], ["--region", "not:left:20%=gaze"], ["--invert"]]
    ran = render(one, "-o", tmp_path / "a.png", *[word for pair in words[::order] for word in pair])
    assert ran.code == 0, ran.err
    regions = stamp_of(tmp_path / "a.png")["recipe"]["regions"]
    assert {region["mask"]: region.get("invert", False) for region in regions} == {"top:25%": True, "left:20%": False}


def test_a_recipe_without_files_repeats_by_itself(tmp_path):
    recipe = tmp_path / "look.toml"
    recipe.write_text("""
schema = 1
feather = 4
[[regions]]
mask = "top"
look = "bloom"
[[regions]]
mask = "centre"
strength = 0.5
[[regions.objectives]]
name = "deepdream"
layer = "m4b"
""")
    one = photo(tmp_path / "one.png")
    assert render(one, "-o", tmp_path / "a.png", "--recipe", recipe).code == 0
    assert dreamer("render", one, "-o", tmp_path / "b.png", "--recipe", tmp_path / "a.png").code == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_recipe_without_regions_is_stamped_as_before(tmp_path):
    assert render(photo(tmp_path / "one.png"), "-o", tmp_path / "a.png").code == 0
    assert not {"regions", "feather"} & stamp_of(tmp_path / "a.png")["recipe"].keys()


def test_all_mistakes_are_told_at_once(tmp_path):
    one = photo(tmp_path / "one.png")
    wrong = ["botom=bloom", "top=blom", "gone.png", "ellipse:1=keep", "colour:blue=keep", "=bloom", "top:120%="]
    ran = render(one, tmp_path / "none.jpg", *(word for text in wrong for word in ("--region", text)))
    refused(
        ran,
        "--region botom=bloom: there is no file botom; did you mean bottom?",
        "'blom'; did you mean bloom?",
        "there is no file gone.png",
        "ellipse:1: not a mask; write ellipse:0.5,0.4,0.3,0.5",
        "colour:blue: not a mask; write colour:#88aadd",
        "=bloom: not a region; write MASK=LOOK",
        "top:120%=: not a region",
    )
    refused(
        render(one, "--region", "top=google-2015"), "is a look of the network googlenet, and this dream's is reverie"
    )
    refused(render(one, "--region", "top=bloom", "--region", "top=keep"), "leave no place in which anything could grow")
    refused(
        dreamer("visualize", "-o", tmp_path / "x.png", "--recipe", recipe_with_regions(tmp_path)),
        "regions: they are parts of a photo",
    )


def recipe_with_regions(folder):
    path = folder / "regions.toml"
    path.write_text('schema = 1\ninit = "canvas"\n[[regions]]\nmask = "top"\n')
    return path


@pytest.mark.parametrize(
    ("regions", "sentence"),
    [
        ("3", "regions: expected a list of tables"),
        ("[3]", "regions: expected a list of tables"),
        ("[{look = 'bloom'}]", "regions[0]: its mask is missing"),
        ("[{mask = 'top', strength = 2}]", "regions[0].strength: 2 is not a number from 0 to 1"),
        ("[{mask = 'top', lok = 'bloom'}]", "regions[0].lok: unknown key; did you mean look?"),
        ("[{mask = 'ellipse:nan,0,1,1'}]", "ellipse:nan,0,1,1: not a mask"),
        ("[{mask = 'top', look = 'blom'}]", "regions[0].look: no preset is called 'blom'"),
        ("[{mask = 'top', objectives = 3}]", "regions[0].objectives: expected a list"),
        ("[{mask = 'top', objectives = [{name = 'deepdrem'}]}]", "regions[0].objectives.deepdrem: "),
        (str([{"mask": "top"}] * 17).replace(":", " ="), "regions: there are 17, and at most 16 are possible"),
    ],
)
def test_the_mistakes_in_a_recipes_regions_are_told_with_their_keys(tmp_path, regions, sentence):
    path = tmp_path / "wrong.toml"
    path.write_text(f"schema = 1\nregions = {regions}\n")
    refused(render(photo(tmp_path / "one.png"), "--recipe", path), sentence)


def test_hostile_masks_are_refused_as_photos_are(tmp_path):
    one = photo(tmp_path / "one.png")
    large = mask(tmp_path / "large.png", np.zeros((300, 300), np.uint8))
    small = mask(tmp_path / "small.png")
    torn = tmp_path / "torn.png"
    torn.write_bytes(small.read_bytes()[:-30])
    folder = tmp_path / "masks"
    folder.mkdir()
    mask(folder / "0.png")
    for file, why in (
        (large, "300 x 300 pixels"),
        (torn, "torn.png cannot be read"),
        (folder, "a folder of masks is for the frames of a clip"),
        (Path("/dev/zero"), "a special file"),
    ):
        refused(render(one, "--region", f"{file}=bloom", "--max-pixels", "50000"), why)


def test_a_mask_is_never_overwritten(tmp_path):
    one, file = photo(tmp_path / "one.png"), mask(tmp_path / "mask.png")
    before = file.read_bytes()
    refused(render(one, "-o", file, "--region", f"{file}=bloom", "--force"), "never overwritten")
    assert file.read_bytes() == before


def test_python_takes_masks_of_all_kinds_and_looks_of_its_own(tmp_path):
    source = pixels()
    arrays = [
        shape(),
        Image.fromarray(shape()),
        mask(tmp_path / "m.png"),
        str(tmp_path / "m.png"),
        torch.from_numpy(shape()),
    ]
    looks = {"objectives": ["deepdream", lambda features: features.mean(1)]}
    first, *others = [dream(source, regions=[(one, looks)]) for one in arrays]
    assert all((first == other).all() for other in others)
    sharp = shape() > 0
    same = [dream(source, regions=[(one, looks)]) for one in (sharp, torch.from_numpy(sharp), np.uint8(255) * sharp)]
    assert (same[0] == same[1]).all() and (same[0] == same[2]).all() and (same[0] != first).any()
    for wrong, sentence in (
        ("top", "regions: expected pairs"),
        ([("top", 3)], r"regions\[0\]: a look is"),
        ([("top",)], r"regions\[0\]: expected a mask and a look"),
        ([("gone.png", "keep")], "there is no file gone.png"),
    ):
        with pytest.raises(DreamerError, match=sentence):
            dream(source, regions=wrong)


def test_an_objective_that_looks_at_the_whole_picture_cannot_grow_in_a_region():
    whole = lambda features: features.mean((1, 2, 3))  # noqa: E731
    own, names = with_functions({"objectives": [whole]}, registry())
    with pytest.raises(DreamerError, match="cannot grow in a region: it looks at the whole picture"):
        build({"regions": [{"mask": "top", **own}]}, names, network=tiny())  # before anything is computed
    with pytest.raises(DreamerError, match="cannot grow in a region"):
        dream(pixels(), regions=[("top", {"objectives": [lambda features, *, step: features.mean((1, 2, 3))]})])


def test_the_numbers_of_a_formula_are_shares_and_percentages():
    assert formula("sky.png") is None and formula("./top") is None
    assert formula("top").numbers == (0.5,) and formula("left:30%").numbers == formula("left:0.3").numbers == (0.3,)
    assert formula("colour:#ff0080,30").numbers == pytest.approx((1, 0, 128 / 255, 30))


@pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 there")
def test_masks_and_looks_of_any_name_have_one_that_a_recipe_can_hold(tmp_path, monkeypatch):
    look = tmp_path / os.fsdecode(b"caf\xe9.toml")
    look.write_text('schema = 1\n[[objectives]]\nname = "deepdream"\n')
    source = mask(tmp_path / "m.png").rename(tmp_path / os.fsdecode(b"\xe9.png"))
    problems = []
    words, masks = with_regions({}, (f"{source}=keep",), 10**6, problems)
    assert not problems and words["regions"][0]["mask"] == "?.png" and len(masks) == 1
    assert regions_of([(source, None)], 10**6)[0][0]["mask"] == "?.png"
    assert find_preset(registry(), look).name == "caf?"
    monkeypatch.chdir(tmp_path)
    assert with_regions({}, (".=keep",), 10**6, problems)[0]["regions"][0]["mask"] == tmp_path.name
