"""The training of the decoder: to tell a picture by a small code, and to draw it again from that."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dreamer.motifs.composite import Pictures
from dreamer.networks.autoencoder import CHANNELS, Autoencoder, decoder, weights_path
from dreamer.networks.reverie import reverie
from dreamer.networks.weights import fit
from dreamer.training.album import Album
from dreamer.training.checkpoint import Mark
from dreamer.training.export import write
from dreamer.training.stream import recoloured
from dreamer.training.train import Settings, Training

_RATE, _WARM_UP, _TUNING_RATE = 6e-4, 200, 2e-4  # the learning rate at its height, and the batches until then
_DECAY = 0.01
_STEEPEST = 1.0  # norm of a step's gradient; without batch norm an odd batch could throw the weights off
_NOISE = 0.25  # as much as, in the code while learning: what lies near a picture's code is then a picture too
_EDGES, _FEATURES = 1.0, 0.1
_LOOKED_AT = 2  # one crop of so many is looked at by reverie, which takes its time
_MEASURED = 32  # held-out pictures
_SEEN = ("m3a", "m3b")  # reverie's layers: what they would miss is missed more than its share of pixels


class Trainee(nn.Module):
    """The autoencoder with batch norm on its code, and noise in it: so its channels get mean 0 and variance 1."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.body = Autoencoder(width)
        self.norm = nn.BatchNorm2d(CHANNELS, affine=False)

    def forward(self, image: Tensor, random: torch.Generator | None = None) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> the same, from its code; with `random`, from a noisy one."""
        code = self.norm(self.body.encode(image))
        if random:
            noise = torch.randn(code.shape, generator=random, device=code.device, dtype=code.dtype)
            code = code + noise * _NOISE * torch.rand(len(code), 1, 1, 1, generator=random, device=code.device)
        return self.body.decode(code, (image.shape[-2], image.shape[-1]))

    def folded(self) -> Autoencoder:
        """The autoencoder as it is shipped: batch norm folded into the encoder's last convolution."""
        plain = copy.deepcopy(self.body).eval()
        last: Any = plain.encoder[-1]
        plain.encoder[-1] = fuse_conv_bn_eval(last, self.norm.eval())
        return plain


class DecoderTraining(Training):
    """The decoder's, and its encoder's.

    Pixels and edges alone would give blurred pictures: reverie's features are to be the same too (Dosovitskiy, Brox
    2016).
    """

    learns = "decoder"
    shipped = weights_path()
    batch = 32, 14

    def __init__(
        self, settings: Settings, device: torch.device, album: Album | None = None, start: Path | None = None
    ) -> None:
        super().__init__(settings, device, album, start)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.module: Trainee = Trainee(settings.width)
        if self.start:
            fit(self.module.body, decoder(self.start).state_dict(), str(self.start))
        self.module.to(device).to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.AdamW(self.module.parameters(), _RATE, (0.9, 0.99), weight_decay=_DECAY)
        self._see = reverie().prepared(_SEEN, device, torch.float32)
        self._random = torch.Generator(device).manual_seed(settings.seed)

    def vary(self, image: Tensor, random: torch.Generator) -> Tensor:
        """In other colours; noise is not to be learnt."""
        return recoloured(image, random)

    def learn(self, batch: Pictures, share: float, samples: int) -> float:
        """Learn to draw a batch again; labels are not looked at. Returns the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate(_TUNING_RATE if self.tunes else _RATE, _WARM_UP, share, samples)
        self.module.train()
        image = batch.image.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            drawn = self.module(image, self._random).float()
            loss = apart(drawn, image) + _EDGES * edges(drawn, image)
            loss = loss + _FEATURES * self._unlike(drawn[::_LOOKED_AT], image[::_LOOKED_AT])
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.module.parameters(), _STEEPEST)
        self.optimiser.step()
        return float(loss.detach())

    def _unlike(self, drawn: Tensor, image: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self._see.features(image, _SEEN)
        seen = self._see.features(drawn, _SEEN)
        spread = {name: self._see.statistics[name][1][:, None, None] + 0.05 for name in _SEEN}
        return sum((apart(seen[n] / spread[n], wanted[n] / spread[n]) for n in _SEEN), drawn.new_zeros(())) / len(_SEEN)

    @torch.no_grad()
    def measures(self) -> dict[str, float]:
        """The `psnr` of the held-out pictures, decibels, their mean."""
        self.module.eval()
        parts = [
            psnr(self.module(part.to(self.device)), part.to(self.device))
            for part in torch.split(self.held_out.image[:_MEASURED], 16)
        ]
        return {"psnr": float(torch.cat(parts).mean())}

    def story(self, mark: Mark) -> dict[str, object]:
        """With the PSNR."""
        return {**super().story(mark), "psnr": round(self.measures()["psnr"], 2)}

    @torch.no_grad()
    def export(self, path: Path, story: Mapping[str, object]) -> None:
        """The autoencoder, half precision, with the code's mean and spread over the held-out pictures."""
        plain = self.module.folded()
        codes = torch.cat([plain.encode(part.to(self.device)) for part in torch.split(self.held_out.image, 32)])
        plain.mean.copy_(codes.mean((0, 2, 3)))
        plain.std.copy_(codes.std((0, 2, 3)))
        write(path, "decoder", self.settings.width, plain.state_dict(), story)


def apart(one: Tensor, other: Tensor) -> Tensor:
    """The mean absolute difference, a number."""
    return (one - other).abs().mean()


def edges(one: Tensor, other: Tensor) -> Tensor:
    """How much the steps from pixel to pixel differ, a number: at full size, and at half of it."""
    difference = one - other
    total = difference.new_zeros(())
    for scale in (difference, nn.functional.avg_pool2d(difference, 2)):
        total = total + scale.diff(dim=-1).abs().mean() + scale.diff(dim=-2).abs().mean()
    return total / 4


def psnr(drawn: Tensor, image: Tensor) -> Tensor:
    """The peak signal-to-noise ratio of each picture (B,), decibels; what is drawn is clipped to [0, 1]."""
    return -10 * (drawn.clamp(0, 1) - image).square().mean((1, 2, 3)).clamp_min(1e-10).log10()
