"""The classic look, whole: real ImageNet weights on a real photo, where they are at hand."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageFilter

from dreamer.cli import main
from dreamer.image import load, read_recipe

SHARED = Path(__file__).parents[2] / "shared"
WEIGHTS = SHARED / "data" / "squeezenet1_0-imagenet.safetensors"
PHOTOS = sorted((SHARED / "photos").glob("*.[jp][pn]g"))

pytestmark = pytest.mark.skipif(not (WEIGHTS.exists() and PHOTOS), reason="the shared weights and photos are not here")

CLASSIC = ["--preset", "classic", "--weights", str(WEIGHTS)]


def extreme(pixels):
    """Within 3 levels of black or white."""
    return (pixels <= 3) | (pixels >= 252)


def render(photo, output, *options):
    result = CliRunner().invoke(main, ["render", str(photo), "-o", str(output), "--progress", "none", *options])
    assert result.exit_code == 0, result.output
    return load(output).pixels.astype(int)


@pytest.mark.parametrize(
    ("photo", "network"),
    [(photo, []) for photo in PHOTOS] + [(photo, CLASSIC) for photo in PHOTOS[::3]],
    ids=lambda value: value.stem if isinstance(value, Path) else "squeezenet1_0" if value else "reverie",
)
def test_colours_are_not_burnt_out(photo, network, tmp_path):
    before = load(photo).resized(128).pixels.astype(int)
    small = tmp_path / "small.png"
    Image.fromarray(before.astype(np.uint8)).save(small)
    after = render(small, tmp_path / "dream.png", *network)
    newly = (extreme(after) & ~extreme(before)).any(-1).mean()
    assert newly < 0.01
    assert np.abs(after - before).mean() > 2


@pytest.mark.parametrize(("network", "seeds"), [(CLASSIC, 1), ([], 3)], ids=["squeezenet1_0", "reverie"])
def test_blown_out_areas_still_grow_forms(network, seeds, tmp_path):
    """In the mean over seeds, since each has motifs of its own."""
    pixels = load(SHARED / "photos" / "sky1024px.jpg").resized(400).pixels.copy()
    pixels[40:140, 40:160], pixels[40:140, 240:360] = 255, 0
    Image.fromarray(pixels).save(tmp_path / "flat.png")
    white, black = [], []
    for seed in range(seeds):
        out = tmp_path / f"dream-{seed}.png"
        render(tmp_path / "flat.png", out, *network, "--seed", str(seed))
        with Image.open(out) as dream:
            forms = np.asarray(dream.convert("L").filter(ImageFilter.GaussianBlur(3))).astype(float)  # without grain
        white.append(forms[60:120, 60:140].std())
        black.append(forms[60:120, 260:340].std())
    assert np.mean(white) > 6 and np.mean(black) > 6


def test_the_network_knows_what_it_sees(tmp_path):
    """The dream at the chosen layer excites it far more than the photo did."""
    import torch

    from dreamer.networks import load_from
    from dreamer.plugins.loading import load_plugins

    network = load_from(load_plugins()[0].networks, "squeezenet1_0", WEIGHTS)
    photo = SHARED / "photos" / "flowers.jpg"
    render(photo, tmp_path / "dream.png", *CLASSIC)
    with torch.no_grad():
        scores = [
            float(network.features(load(path).image(), ["features.10"])["features.10"].square().mean())
            for path in (photo, tmp_path / "dream.png")
        ]
    assert scores[1] > 2 * scores[0]


def test_the_recipe_inside_makes_the_same_bytes_again(tmp_path):
    photo = SHARED / "photos" / "flowers.jpg"
    first, second = tmp_path / "first.jpg", tmp_path / "second.jpg"
    render(photo, first, *CLASSIC, "--set", "octaves.steps=1", "--strength", "0.7")
    render(photo, second, "--recipe", str(first), "--weights", str(WEIGHTS))
    assert first.read_bytes() == second.read_bytes()
    assert str(tmp_path) not in read_recipe(first) and "shared" not in read_recipe(first)
