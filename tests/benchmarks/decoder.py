"""Quality of the decoder's weights: PSNR over new composites, and a sheet of pictures.

    python tests/benchmarks/decoder.py [--weights FILE] [--pictures 200] [-o sheet.png] [PHOTO...]

The rows of the sheet: composites, the same decoded from their codes, pictures half-way (in code) between neighbours,
and pictures of random codes, from the coarsest to ever smoother ones.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F

from dreamer.image import load, resize, to_pil
from dreamer.motifs import MOTIFS
from dreamer.motifs.composite import World
from dreamer.networks.autoencoder import FACTOR, Autoencoder, decoder, weights_path
from dreamer.networks.weights import story
from dreamer.training.decoder import psnr

SIZE = 128
SEED = 20_000_003  # not used in training
COLUMNS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=weights_path())
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("photos", nargs="*", type=Path)
    wishes = parser.parse_args()
    module = decoder(wishes.weights)
    print(f"{wishes.weights.stat().st_size / 1e6:.2f} MB; {story(wishes.weights)}")
    pictures = World(MOTIFS).draw(wishes.pictures, SIZE, torch.Generator().manual_seed(SEED)).image
    with torch.no_grad():
        found = torch.cat([psnr(module(part), part) for part in pictures.split(20)])
        codes = torch.cat([module.encode(part) for part in pictures.split(20)])
        print(
            f"PSNR {found.mean():.2f} dB, the mean of {len(found)} composites; {found.min():.1f} to {found.max():.1f}"
        )
        print(
            f"code: mean {codes.mean():+.3f}, channels' {codes.mean((0, 2, 3)).abs().max():.2f} at most from 0;",
            end=" ",
        )
        spread = codes.std((0, 2, 3))
        print(f"standard deviations {spread.min():.2f} to {spread.max():.2f}; largest value {codes.abs().max():.1f}")
        for path in wishes.photos:
            photo = small(path)
            print(f"{path.name}: {psnr(module(photo), photo).item():.2f} dB")
        if wishes.output:
            to_pil(sheet(module, pictures, [small(path) for path in wishes.photos])).save(wishes.output)


def small(path: Path) -> torch.Tensor:
    photo = load(path).image()
    factor = 3 * SIZE / max(photo.shape[-2:])
    return resize(photo, (round(photo.shape[-2] * factor), round(photo.shape[-1] * factor)))


def sheet(module: Autoencoder, pictures: torch.Tensor, photos: list[torch.Tensor]) -> torch.Tensor:
    """(1, 3, H, W)."""
    shown = pictures[:COLUMNS]
    codes = module.encode(shown)
    rows = [shown, module.decode(codes), module.decode((codes + codes.roll(1, 0)) / 2)]
    for smoother in (1, 2, 4):
        side = SIZE // FACTOR // smoother
        by_chance = torch.randn(COLUMNS, codes.shape[1], side, side, generator=torch.Generator().manual_seed(SEED))
        by_chance = F.interpolate(by_chance, size=codes.shape[-2:], mode="bicubic")
        by_chance = by_chance / by_chance.std() * module.std[:, None, None] + module.mean[:, None, None]
        rows.append(module.decode(by_chance))
    whole = torch.cat([torch.cat(tuple(row), -1) for row in rows], -2)[None]
    for photo in photos:
        pair = torch.cat([photo, module(photo)], -1)
        whole = torch.cat([whole, F.pad(pair, (0, whole.shape[-1] - pair.shape[-1]))], -2)
    return whole.clamp(0, 1)


if __name__ == "__main__":
    main()
