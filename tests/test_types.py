"""What type checkers tell somebody who writes a script with dreamer: mistakes are found, and what is right passes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

api = pytest.importorskip("mypy.api")

SCRIPT = """\
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import dreamer

net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3))
network = dreamer.Network.wrap(net, mean=(0.5, 0.5, 0.5))
image: Image.Image = dreamer.dream("photo.jpg", preset="classic", strength=0.5, octaves={"steps": 3})
tensor: torch.Tensor = dreamer.dream(Path("photo.jpg"), network=net, returns="tensor", device=torch.device("cpu"))
height: int = dreamer.dream(np.zeros((8, 8, 3)), returns="array").shape[0]
kept: dict[int, Image.Image] = dreamer.dream(image, keep=(1, 2), transforms=["jitter", lambda image: image])
pictures: list[Image.Image] = dreamer.visualize(net, "0", channel=3, size=96)
both: dict[int, list[torch.Tensor]] = dreamer.visualize({"a": net}, keep=range(3), returns="tensor")
dreamer.visualize(network, lambda f: f["0"][:, 3].mean(), on_step=lambda step: print(step.share), count=2)
dreamer.visualize(network, dreamer.channel("0", 3) - 0.5 * dreamer.neuron("0", 1, 2, 3))
look: Image.Image = dreamer.sweep("photo.jpg", {"strength": [0.3, 1]}, seed=2)[0].picture
looks: list[torch.Tensor] = [cell.picture for cell in dreamer.sweep("photo.jpg", variations=3, returns="tensor")]
for number, frame in enumerate(dreamer.zoom("photo.jpg", seconds=2, keyframes=[{"time": 1, "rate": 2}])):
    frame.save(f"{number}.png")
clip: torch.Tensor = next(dreamer.video("clip.mp4", stability=0.5, regions=[("masks/", "keep")], returns="tensor"))
way: Image.Image = next(dreamer.walk(["bloom", "a.png", {"seed": 3}], "photo.jpg", loop=True, colour=0.5))
height = next(dreamer.loop("photo.jpg", seeds=2, fps="30000/1001", returns="array")).shape[0]
large: Image.Image = dreamer.enlarge("photo.jpg", size=8000, proof=500, strength=0.5)
sizes: dict[str, tuple[int, int]] = network.sizes(64, 64, ["0"])

dreamer.dream("photo.jpg", strenght=0.5)  # wrong: a key
dreamer.dream("photo.jpg", strength="much")  # wrong: a type
dreamer.dream("photo.jpg", octaves={"stepps": 3})  # wrong: a key within
dreamer.dream("photo.jpg", returns="png")  # wrong: a kind of result
dreamer.dream(3)  # wrong: no photo
dreamer.visualize(net, chanel=3)  # wrong: an argument
dreamer.visualize(net, keep=3)  # wrong: no steps
dreamer.visualize([net])  # wrong: no network
text: str = dreamer.visualize(net)[0]  # wrong: a picture is no text
one: Image.Image = dreamer.dream("photo.jpg", keep=(1,))  # wrong: several
dreamer.zoom("photo.jpg", second=2)  # wrong: an argument
dreamer.enlarge("photo.jpg")  # wrong: no size
dreamer.loop("photo.jpg", on_step=lambda step: None)  # wrong: two arguments
dreamer.walk("photo.jpg", seconds=2)  # wrong: no photo
dreamer.sweep("photo.jpg", variation=3)  # wrong: an argument
dreamer.channel("0", "3")  # wrong: a number
dreamer.register(print, kind=3)  # wrong: a kind
network.features(image, ["0"])  # wrong: no tensor
dreamer.Network.wrap(net, lables=["a"])  # wrong: an argument
"""


def test_mypy_finds_the_mistakes_of_a_script_and_no_others(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """In a few seconds, since the checkout's own run of mypy has left what it knows of torch."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    cache = pytestconfig.rootpath / ".mypy_cache"
    if not cache.is_dir():
        pytest.skip("mypy has not been run in this checkout, and would need half a minute here")
    options = ["--strict", "--no-error-summary", "--cache-dir", str(cache)]
    found, trouble, _ = api.run([*options, "--config-file", str(pytestconfig.rootpath / "pyproject.toml"), str(script)])
    assert not trouble
    lines = {int(number) for number in re.findall(r"script\.py:(\d+): error", found)}
    expected = {number for number, line in enumerate(SCRIPT.splitlines(), 1) if "# wrong" in line}
    assert lines == expected, found
