"""What a guide shows is what grows."""

import numpy as np
from networks import tiny
from PIL import Image, ImageDraw

import dreamer
from dreamer.image import load
from dreamer.pipeline.bind import Guide

SIDE, CELL = 128, 26


def guide(kind: str) -> Image.Image:
    """Pink discs, or a wall of bricks."""
    picture = Image.new("RGB", (SIDE, SIDE), (120, 130, 110))
    pen = ImageDraw.Draw(picture)
    for row, y in enumerate(range(0, SIDE, CELL)):
        for x in range(0, SIDE + CELL, CELL):
            if kind == "discs":
                pen.ellipse((x + 3, y + 3, x + 22, y + 22), (200, 120, 160), (60, 40, 50))
            else:
                left = x - CELL // 2 * (row % 2)
                pen.rectangle((left, y + 2, left + 22, y + 22), (170, 110, 90), (60, 40, 40))
    return picture


def test_different_guides_give_different_dreams() -> None:
    """What nearly all guides have in common does not count: with it, these changes correlate at 0.5."""
    photo = Image.linear_gradient("L").resize((SIDE, 96)).convert("RGB")
    changes = []
    for kind in ("discs", "bricks"):
        dream = dreamer.dream(photo, guide=guide(kind), octaves={"smallest": 96, "steps": 8}, seed=1)
        changes.append((np.asarray(dream, float) - np.asarray(photo, float)).ravel())
    assert np.corrcoef(changes)[0, 1] < 0.3


def test_a_guide_is_looked_at_with_its_long_side_512_pixels_long() -> None:
    panorama = Guide(load(np.zeros((64, 2048, 3), np.uint8)), tiny(), "cpu")
    assert panorama.features(["two"])["two"].shape[-2:] == (16 / 4, 512 / 4)
