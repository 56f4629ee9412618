"""Whether settings act alike in every preset, whether presets differ, and whether a preview predicts its print.

    python tests/benchmarks/dials.py PHOTO... [--size 400] [--presets a,b]
    python tests/benchmarks/dials.py PHOTO --print 4000 [--preview 800] [--feature-size 40] [--presets bloom]

The first prints each preset's mean change at strength 1 (in levels of 255), and every pair of presets whose changes to
the same photo correlate beyond .7. The second correlates the low bands of dream minus photo of the preview with those
of the print, reduced to its size.
"""

from __future__ import annotations

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image

import dreamer
from dreamer.api import registry
from dreamer.errors import DreamerError
from dreamer.recipes.preset import find_preset

LOW = 8  # px: the finest wavelength of a low band, in the preview
ALIKE = 0.7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--size", type=int, default=400)
    parser.add_argument("--presets")
    parser.add_argument("--print", type=int, dest="large")
    parser.add_argument("--preview", type=int, default=800)
    parser.add_argument("--feature-size", type=float, default=40)
    wishes = parser.parse_args()
    looks = [entry.full_name for entry in registry().presets]
    names = wishes.presets.split(",") if wishes.presets else [name for name in looks if over_a_photo(name)]
    for path in wishes.photos:
        with Image.open(path) as file:
            photo = file.convert("RGB")
        if wishes.large:
            predict(photo, names, wishes.preview, wishes.large, wishes.feature_size)
        else:
            compare(sized(photo, wishes.size), names, path.name)


def over_a_photo(name: str) -> bool:
    """Whether a preset dreams over a photo of any size; others draw from nothing."""
    return not {"size", "init"} & find_preset(registry(), name).words.keys()


def compare(photo: Image.Image, names: list[str], label: str) -> None:
    changes = {}
    for name in names:
        try:
            changes[name] = change(photo, preset=name)
        except DreamerError as error:
            print(f"{name}: left out ({str(error)[:80]})")
    amounts = {name: 255 * float(np.abs(values).mean()) for name, values in changes.items()}
    for name, amount in sorted(amounts.items(), key=lambda pair: pair[1]):
        half = 255 * float(np.abs(change(photo, preset=name, strength=0.5)).mean()) if name == names[0] else 0
        print(f"{label} {name:32} {amount:5.1f}" + (f"; {half:.1f} at strength .5" if half else ""))
    print(f"{label}: the strongest over the gentlest {max(amounts.values()) / min(amounts.values()):.2f}")
    pairs = {(a, b): correlation(changes[a], changes[b]) for a, b in combinations(changes, 2)}
    for pair, value in sorted(pairs.items(), key=lambda item: -item[1])[:5]:
        print(f"{label} {' and '.join(pair)}: {value:.2f}{'  TOO MUCH ALIKE' if value > ALIKE else ''}")


def predict(photo: Image.Image, names: list[str], small: int, large: int, feature_size: float) -> None:
    for name in names:
        preview, whole = (
            change(sized(photo, side), preset=name, size=0, octaves={"feature_size": feature_size})
            for side in (small, large)
        )
        shape = (preview.shape[1], preview.shape[0])
        shrunken = np.stack([resized(whole[..., i], shape) for i in range(3)], -1)
        alike = correlation(low(preview), low(shrunken))
        print(f"{name}: preview {small}, print {large}: low bands correlate {alike:.3f}")


def change(photo: Image.Image, **recipe: object) -> np.ndarray:
    """Dream minus photo, (H, W, 3), black to white being 1."""
    dream = dreamer.dream(photo, **recipe)
    return (np.asarray(dream, np.float32) - np.asarray(photo, np.float32)) / 255


def low(values: np.ndarray) -> np.ndarray:
    """The low bands: what is left of a change at an eighth of its size."""
    size = (values.shape[1] // LOW, values.shape[0] // LOW)
    return np.stack([resized(values[..., i], size) for i in range(3)], -1)


def resized(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BOX))


def sized(photo: Image.Image, side: int) -> Image.Image:
    factor = side / max(photo.size)
    return photo.resize((round(photo.width * factor), round(photo.height * factor)), Image.Resampling.LANCZOS)


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


if __name__ == "__main__":
    main()
