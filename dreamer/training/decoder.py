"""The training of the decoder: an autoencoder learns to encode a picture as a small code and to draw it from that."""

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
from dreamer.training.album import OwnPictures
from dreamer.training.checkpoint import Progress
from dreamer.training.export import write
from dreamer.training.stream import recoloured
from dreamer.training.train import Settings, Training

_RATE, _WARM_UP, _TUNING_RATE = 6e-4, 200, 2e-4  # peak learning rates, and batches until the peak
_DECAY = 0.01
_MAX_GRADIENT = 1.0  # norm; without batch norm an odd batch could ruin the weights
_NOISE = 0.25  # largest deviation of the noise on codes, so that points near a picture's code are pictures too
_EDGES, _FEATURES = 1.0, 0.1  # weights in the loss
_FEATURE_STRIDE = 2  # reverie, which is slow, sees every second crop
_MEASURED = 32  # number of held-out pictures for the PSNR
_SEEN = ("m3a", "m3b")  # reverie's layers whose features are compared


class Trainee(nn.Module):
    """The autoencoder in training: batch norm gives the code's channels mean 0 and variance 1, and noise is added."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.body = Autoencoder(width)
        self.norm = nn.BatchNorm2d(CHANNELS, affine=False)

    def forward(self, image: Tensor, random: torch.Generator | None = None) -> Tensor:
        """Encode and decode pictures (B, 3, H, W) in [0, 1]; with `random`, noise is added to the code."""
        code = self.norm(self.body.encode(image))
        if random:
            noise = torch.randn(code.shape, generator=random, device=code.device, dtype=code.dtype)
            code = code + noise * _NOISE * torch.rand(len(code), 1, 1, 1, generator=random, device=code.device)
        return self.body.decode(code, (image.shape[-2], image.shape[-1]))

    def without_batch_norm(self) -> Autoencoder:
        """The autoencoder for export, with batch norm folded into the encoder's last convolution."""
        plain = copy.deepcopy(self.body).eval()
        last: Any = plain.encoder[-1]
        plain.encoder[-1] = fuse_conv_bn_eval(last, self.norm.eval())
        return plain


class DecoderTraining(Training):
    """The training of the decoder and its encoder.

    The loss compares pixels, edges and reverie's features, as the first two alone give blurred pictures (Dosovitskiy,
    Brox 2016).
    """

    name = "decoder"
    shipped = weights_path()
    batch = 32, 14

    def __init__(
        self, settings: Settings, device: torch.device, album: OwnPictures | None = None, start: Path | None = None
    ) -> None:
        super().__init__(settings, device, album, start)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.module: Trainee = Trainee(settings.width)
        if self.start:
            fit(self.module.body, decoder(self.start).state_dict(), str(self.start))
        self.module.to(device).to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.AdamW(self.module.parameters(), _RATE, (0.9, 0.99), weight_decay=_DECAY)
        self._reverie = reverie().prepared(_SEEN, device, torch.float32)
        self._random = torch.Generator(device).manual_seed(settings.seed)

    def vary(self, image: Tensor, random: torch.Generator) -> Tensor:
        """Recolour crops; no noise, which would be learnt."""
        return recoloured(image, random)

    def learn(self, batch: Pictures, share: float, samples: int) -> float:
        """Take a step on a batch of pictures, ignoring their labels. Returns the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate(_TUNING_RATE if self.fine_tunes else _RATE, _WARM_UP, share, samples)
        self.module.train()
        image = batch.image.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            drawn = self.module(image, self._random).float()
            loss = l1_distance(drawn, image) + _EDGES * edge_distance(drawn, image)
            loss = loss + _FEATURES * self._feature_distance(drawn[::_FEATURE_STRIDE], image[::_FEATURE_STRIDE])
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.module.parameters(), _MAX_GRADIENT)
        self.optimiser.step()
        return float(loss.detach())

    def _feature_distance(self, drawn: Tensor, image: Tensor) -> Tensor:
        """The mean distance of reverie's features, each channel in its standard deviations, a scalar."""
        with torch.no_grad():
            wanted = self._reverie.features(image, _SEEN)
        seen = self._reverie.features(drawn, _SEEN)
        spread = {name: self._reverie.statistics[name][1][:, None, None] + 0.05 for name in _SEEN}
        return sum((l1_distance(seen[n] / spread[n], wanted[n] / spread[n]) for n in _SEEN), drawn.new_zeros(())) / len(
            _SEEN
        )

    @torch.no_grad()
    def measures(self) -> dict[str, float]:
        """The mean `psnr` over the held-out pictures, in decibels."""
        self.module.eval()
        parts = [
            psnr(self.module(part.to(self.device)), part.to(self.device))
            for part in torch.split(self.held_out.image[:_MEASURED], 16)
        ]
        return {"psnr": float(torch.cat(parts).mean())}

    def training_info(self, progress: Progress) -> dict[str, object]:
        """The record of the training, with the PSNR."""
        return {**super().training_info(progress), "psnr": round(self.measures()["psnr"], 2)}

    @torch.no_grad()
    def export(self, path: Path, info: Mapping[str, object], *, replace: bool = True) -> Path:
        """Write the autoencoder at half precision, with the code's mean and deviation over the held-out pictures."""
        plain = self.module.without_batch_norm()
        codes = torch.cat([plain.encode(part.to(self.device)) for part in torch.split(self.held_out.image, 32)])
        plain.mean.copy_(codes.mean((0, 2, 3)))
        plain.std.copy_(codes.std((0, 2, 3)))
        return write(path, "decoder", self.settings.width, plain.state_dict(), info, replace=replace)


def l1_distance(one: Tensor, other: Tensor) -> Tensor:
    """The mean absolute difference, a scalar."""
    return (one - other).abs().mean()


def edge_distance(one: Tensor, other: Tensor) -> Tensor:
    """The mean absolute difference between steps from pixel to pixel, at full and at half size, a scalar."""
    difference = one - other
    total = difference.new_zeros(())
    for scale in (difference, nn.functional.avg_pool2d(difference, 2)):
        total = total + scale.diff(dim=-1).abs().mean() + scale.diff(dim=-2).abs().mean()
    return total / 4


def psnr(drawn: Tensor, image: Tensor) -> Tensor:
    """The peak signal-to-noise ratio of each picture in decibels, (B,); `drawn` is clipped to [0, 1]."""
    return -10 * (drawn.clamp(0, 1) - image).square().mean((1, 2, 3)).clamp_min(1e-10).log10()
