import pytest
import torch

from dreamer.engine.colour import MARGIN, climb, hold, within
from dreamer.image import Edges
from dreamer.image.luma import luma


def chroma(image):
    return image - luma(image)


@pytest.mark.parametrize("colour", [0.0, 0.3, 1.0])
def test_hold_scales_the_chroma_and_leaves_the_luma(colour):
    gradient = torch.randn(1, 3, 20, 30, dtype=torch.float64)
    held = hold(gradient.clone(), colour)
    torch.testing.assert_close(luma(held), luma(gradient))
    torch.testing.assert_close(chroma(held), (1 - colour) * chroma(gradient))


@pytest.mark.parametrize("colour", [0.0, 0.5, 1.0])
def test_many_steps_neither_clip_nor_freeze(colour):
    photo = torch.rand(1, 3, 40, 50) * 0.9 + 0.05
    photo[..., :10, :] = 1.0
    photo[..., 10:20, :] = 0.0
    pattern = torch.randn(1, 3, 40, 50)
    image = photo
    for _ in range(100):
        image = climb(image, 0.02 * pattern, photo, colour)
    assert image.min() >= 0 and image.max() <= 1
    new = ((image < MARGIN - 1e-6) & (photo >= MARGIN)) | ((image > 1 - MARGIN + 1e-6) & (photo <= 1 - MARGIN))
    assert not new.any()
    for blown in (image[..., :10, :], image[..., 10:20, :]):
        assert blown.std() > 0.1


@pytest.mark.parametrize(("light", "times"), [(0.95, 1.0), (0.97, 1.5), (0.985, 2.0), (1.0, 2.0)])
@pytest.mark.parametrize("colour", [0.0, 1.0])
def test_steps_away_from_a_limit_are_whole_and_doubled_where_there_is_no_other_way(
    light: float, times: float, colour: float
) -> None:
    for photo, down in ((torch.full((1, 3, 4, 4), light), -0.1), (torch.full((1, 3, 4, 4), 1 - light), 0.1)):
        step = torch.full_like(photo, down)
        torch.testing.assert_close(climb(photo, step.clone(), photo, colour), photo + times * step)


def test_a_colour_at_its_limit_is_not_blown_out() -> None:
    """Pure red can still grow lighter and darker in its other channels."""
    photo, step = torch.tensor([1.0, 0.5, 0.5])[None, :, None, None], torch.full((1, 3, 1, 1), -0.1)
    torch.testing.assert_close(climb(photo, step.clone(), photo, 0.0), photo + step)


def test_with_colour_one_the_chroma_stays_the_photos():
    photo = torch.rand(1, 3, 30, 30)
    image = photo
    for _ in range(30):
        step = hold(torch.randn(1, 3, 30, 30), 1.0) * 0.02
        image = climb(image, step, photo, 1.0)
    assert (chroma(image) - chroma(photo)).abs().mean() < 2e-3
    assert (image - photo).abs().mean() > 0.02


@pytest.mark.parametrize("bright", [0.1, 0.9])
def test_soft_chroma_stays_soft_where_forms_come_near_black_or_white(bright):
    """Steps that shorten from pixel to pixel must not cut a soft colour into grain."""
    torch.manual_seed(0)
    photo = torch.full((1, 3, 64, 64), bright)
    tint = torch.tensor([0.02, -0.01, 0.0])[None, :, None, None]
    tint = tint - luma(tint)
    image = photo
    for _ in range(10):
        image = climb(image, tint + 0.03 * torch.randn(1, 1, 64, 64), photo, 0.5)
    colours = chroma(image)[..., 8:-8, 8:-8]
    assert colours.square().mean().sqrt() > 0.03
    assert colours.diff(dim=-1).square().mean().sqrt() < 0.15 * colours.square().mean().sqrt()


@pytest.mark.parametrize("colour", [0.0, 0.2, 0.5])
def test_a_step_goes_round_with_the_picture(colour):
    torch.manual_seed(0)
    image, photo, step = torch.rand(3, 1, 3, 32, 48)
    rolled = [each.roll((8, 16), (-2, -1)) for each in (image, step, photo)]
    once = climb(image, step.clone(), photo, colour, Edges(True, True)).roll((8, 16), (-2, -1))
    torch.testing.assert_close(climb(*rolled, colour, Edges(True, True)), once)


def test_within_brings_back_only_what_is_outside():
    photo = torch.rand(1, 3, 300, 9)
    inside = photo.clamp(MARGIN, 1 - MARGIN)
    assert torch.equal(within(inside.clone(), photo), inside)
    pushed = within(photo + 1, photo)
    torch.testing.assert_close(pushed, photo.clamp(min=1 - MARGIN))
