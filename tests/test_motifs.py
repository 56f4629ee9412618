"""The motif world: every motif draws what a motif must, and every pixel of a composite is labelled."""

from __future__ import annotations

import pytest
import torch

from dreamer.motifs import MOTIFS
from dreamer.motifs.composite import World
from dreamer.motifs.light import Lamp, Palette, lit
from dreamer.motifs.plane import Plane
from dreamer.motifs.relief import Motif, relief
from dreamer.motifs.sheet import sheet

NAMES = [motif.name for motif in MOTIFS]


def drawn(motif: Motif, size: int = 64, count: int = 12, seed: int = 0):
    plane = Plane.of(count, size, torch.Generator().manual_seed(seed))
    return motif.draw(plane), plane


def test_there_are_at_least_32_motifs_of_different_names():
    assert len(set(NAMES)) == len(NAMES) >= 32


@pytest.mark.parametrize("motif", MOTIFS, ids=NAMES)
def test_a_motif_is_a_proper_relief(motif):
    shape, plane = drawn(motif)
    for name in ("tone", "height", "alpha", "shade", "shine"):
        values = getattr(shape, name)
        assert values.shape == plane.u.shape, name
        assert values.isfinite().all(), name
    for name, most in (("alpha", 1), ("shade", 1.2)):
        values = getattr(shape, name)
        assert values.min() >= -1e-5 and values.max() <= most + 1e-5, name
    if shape.part is not None:
        assert motif.part in NAMES
        assert (shape.part > 0.5).flatten(1).any(1).float().mean() > 0.5, "the part is hardly ever to be seen"
    styles = torch.zeros(12) if shape.style is None else shape.style
    assert styles.shape == (12,) and set(styles.tolist()) <= set(range(motif.styles))


@pytest.mark.parametrize("motif", MOTIFS, ids=NAMES)
def test_an_object_has_an_outline_and_a_ground_covers_everything(motif):
    cover = drawn(motif)[0].alpha.mean((1, 2))
    if motif.ground:
        assert cover.min() > 0.95
    else:
        assert 0.08 < cover.min() and cover.max() < 0.95


@pytest.mark.parametrize("motif", MOTIFS, ids=NAMES)
def test_every_style_comes_and_samples_differ(motif):
    shape, _ = drawn(motif, size=32, count=60)
    styles = torch.zeros(60) if shape.style is None else shape.style
    assert set(styles.tolist()) == set(map(float, range(motif.styles)))
    light = (shape.shade * shape.alpha).flatten(1)
    assert torch.pdist(light).min() > 1e-3


@pytest.mark.parametrize("motif", MOTIFS, ids=NAMES)
def test_the_same_seed_draws_the_same(motif):
    one, two, other = (drawn(motif, 24, 3, seed)[0].shade for seed in (5, 5, 6))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_light_comes_from_the_lamp():
    """A ball's lit side is towards the lamp."""
    plane = Plane.of(1, 64, torch.Generator().manual_seed(0))
    ball = relief(torch.zeros_like(plane.u), height=(1 - plane.r**2).clamp_min(0).sqrt())
    lamp = Lamp(torch.tensor([[-1.0, 0.0]]), torch.zeros(1))
    picture = lit(ball, plane.pixel, lambda tone: torch.full((1, 3, 64, 64), 0.5), lamp)
    assert picture[..., 20:44, 10:20].mean() > 1.5 * picture[..., 20:44, 44:54].mean()


def test_palettes_differ_and_stay_colours():
    colours = Palette.any(50, torch.Generator().manual_seed(0))(torch.linspace(0, 1, 9).expand(50, 3, 9))
    assert colours.min() >= 0 and colours.max() <= 1
    assert torch.pdist(colours.flatten(1)).min() > 0.01


@pytest.fixture(scope="module")
def pictures():
    world = World(MOTIFS)
    with torch.no_grad():
        return world, world.draw(160, 64, torch.Generator().manual_seed(3))


def test_composites_are_pictures_with_every_pixel_labelled(pictures):
    world, drawn = pictures
    assert drawn.image.shape == (160, 3, 64, 64)
    assert drawn.image.isfinite().all() and drawn.image.min() >= 0 and drawn.image.max() <= 1
    assert drawn.kind.min() >= 0 and drawn.kind.max() <= world.kinds
    assert drawn.second.min() >= 0 and drawn.second.max() <= len(world.names)
    nothing = drawn.kind == world.kinds
    assert (drawn.second[nothing] == len(world.names)).all()
    assert 0.02 < nothing.float().mean() < 0.4


def test_composites_show_every_motif(pictures):
    world, drawn = pictures
    seen = set(world.motif_of[drawn.kind].unique().tolist())
    assert len(seen) == len(world.names) + 1


def test_some_objects_wear_another_motifs_texture(pictures):
    world, drawn = pictures
    both = (world.motif_of[drawn.kind] != drawn.second).float().mean()
    assert 0.01 < both < 0.4


def test_composites_repeat_for_a_seed():
    world = World(MOTIFS[:6] + tuple(m for m in MOTIFS if m.ground)[:2])
    one, two, other = (world.draw(6, 48, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.image, two.image) and torch.equal(one.kind, two.kind)
    assert not torch.equal(one.image, other.image)


def test_labels_lie_where_the_object_is():
    """One white disc on black grounds: the picture is bright exactly where the label says so."""

    def disc(plane: Plane):
        alpha = plane.edge(1 - plane.r)
        return relief(torch.zeros_like(alpha), alpha=alpha, shine=torch.ones_like(alpha))

    def night(plane: Plane):
        return relief(torch.zeros_like(plane.u), shade=torch.zeros_like(plane.u))

    world = World([Motif("disc", disc), Motif("night", night, ground=True)])
    drawn = world.draw(60, 64, torch.Generator().manual_seed(0))
    labelled = drawn.kind == 0
    on_night = (drawn.kind != 2).all(-1).all(-1)  # pictures without a plain field
    assert on_night.sum() > 10
    bright = drawn.image.mean(1) > 0.5
    agree = (bright == labelled)[on_night & (drawn.second == drawn.kind).all(-1).all(-1)]
    assert agree.float().mean() > 0.97


def test_a_part_of_an_object_is_labelled_as_the_motif_that_it_shows():
    """The upper half of a disc shows an eye."""

    def disc(plane: Plane):
        alpha = plane.edge(1 - plane.r)
        return relief(torch.zeros_like(alpha), alpha=alpha, part=(plane.v < 0).float())

    def flat(plane: Plane):
        return relief(torch.zeros_like(plane.u))

    world = World([Motif("face", disc, part="eye"), Motif("eye", flat), Motif("wall", flat, ground=True)])
    drawn = world.draw(20, 48, torch.Generator().manual_seed(0))
    shown = drawn.second[drawn.kind == 0]
    assert 0.3 < (shown == 1).float().mean() < 0.7 and (shown == 0).float().mean() > 0.1


def test_things_found_come_into_the_pictures():
    class Red:
        names = ("red",)

        def crops(self, count, size, random):
            colour = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(count, 3, size, size)
            return colour.clone(), torch.zeros(count, dtype=torch.long)

        def whole(self, which, size):
            return self.crops(1, size, None)[0]

    world = World(MOTIFS, Red())
    drawn = world.draw(60, 48, torch.Generator().manual_seed(0))
    there = world.motif_of[drawn.kind] == len(MOTIFS)
    assert world.names[-1] == "red" and 0.15 < there.float().mean() < 0.8
    red, green, _ = (drawn.image[:, i][there].mean() for i in range(3))
    assert red > 3 * green


def test_the_sheet_has_a_row_for_each_motif():
    picture = sheet(MOTIFS[:3], samples=2, size=24)
    assert picture.shape == (1, 3, 3 * 28, 2 * 28)
    assert picture.min() >= 0 and picture.max() <= 1
