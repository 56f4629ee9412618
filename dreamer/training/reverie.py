"""The training of reverie: it learns to name the motif at each place of a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from dreamer.motifs.composite import Pictures
from dreamer.networks.reverie import reverie, weights_path
from dreamer.training.album import OwnPictures
from dreamer.training.checkpoint import Progress
from dreamer.training.export import export
from dreamer.training.train import Settings, Training
from dreamer.training.trainee import Trainee, accuracy, load_pretrained

_RATE, _WARM_UP = 3e-3, 200  # peak learning rate, and batches until the peak
_TUNING_RATE, _TUNING_WARM_UP = 1.5e-3, 20
_DECAY = 0.05
_FROZEN = 1 / 3  # share of a fine-tuning's time during which the first blocks stay fixed
_RAMP = (0.35, 0.75)  # shares of the time between which the adversarial perturbation grows
_EPSILON = 1.3 / 96  # its final L2 norm, per pixel of a side


class ReverieTraining(Training):
    """The training of reverie; raises NetworkError when the weights to start from have another width."""

    name = "reverie"
    shipped = weights_path()

    def __init__(
        self, settings: Settings, device: torch.device, album: OwnPictures | None = None, start: Path | None = None
    ) -> None:
        super().__init__(settings, device, album, start)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.module: Trainee = Trainee(len(self.world.names), self.world.kinds, settings.width)
        if self.start:
            load_pretrained(self.module, reverie(self.start), self.world.names, torch.split(self.held_out.image, 64))
        self.module.to(device).to(memory_format=torch.channels_last)
        early, late = self.module.early_and_late()
        groups = [{"params": early, "early": True}, {"params": late, "early": False}]
        self.optimiser = torch.optim.AdamW(groups, _RATE, weight_decay=_DECAY)
        self._motif_of = self.world.motif_of.to(device)

    def learn(self, batch: Pictures, share: float, samples: int) -> float:
        """Take a step on a batch, and later in the training another one on the perturbed batch. Returns the loss.

        The adversarial perturbation is made of the gradient of the first step, at no extra cost (Shafahi 2019).
        """
        peak, batches = (_TUNING_RATE, _TUNING_WARM_UP) if self.fine_tunes else (_RATE, _WARM_UP)
        rate = self.rate(peak, batches, share, samples)
        for group in self.optimiser.param_groups:
            group["lr"] = 0.0 if self.fine_tunes and group["early"] and share < _FROZEN else rate
        ramp = (share - _RAMP[0]) / (_RAMP[1] - _RAMP[0])
        epsilon = _EPSILON * batch.image.shape[-1] * min(1.0, max(0.0, ramp))
        image, kind, second = (part.detach().to(self.device) for part in (batch.image, batch.kind, batch.second))
        loss = self._step(image.requires_grad_(epsilon > 0), kind, second)
        if image.grad is not None:
            norm = image.grad.flatten(1).norm(dim=1).clamp_min(1e-12)
            amount = epsilon * torch.rand(len(image), device=self.device) / norm
            loss = self._step(image.detach() + amount[:, None, None, None] * image.grad, kind, second)
        return loss

    def _step(self, image: Tensor, kind: Tensor, second: Tensor) -> float:
        """Take a step on pictures and their labels; returns the loss."""
        self.module.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            loss = self.module.loss(image, kind, second, self._motif_of)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return float(loss.detach())

    @torch.no_grad()
    def accuracy(self) -> dict[str, tuple[float, float]]:
        """Accuracy of the dense heads on held-out pictures: {layer: (over all places, mean over the classes)}."""
        self.module.eval()
        answers: dict[str, list[Tensor]] = {}
        for part in torch.split(self.held_out.image, 64):
            seen = self.module.features(part.to(self.device))
            for name, head in self.module.dense.items():
                answers.setdefault(name, []).append(head(seen[name]).cpu())
        whole = {name: torch.cat(parts) for name, parts in answers.items()}
        return accuracy(whole, self.world.motif_of[self.held_out.kind], self.held_out.second)

    def measures(self) -> dict[str, float]:
        """Accuracy of the dense head at m4b: over all `places`, and the mean over the `motifs` of that on each."""
        places, motifs = self.accuracy()["m4b"]
        return {"places": places, "motifs": motifs}

    def training_info(self, progress: Progress) -> dict[str, object]:
        """The record of the training, with the accuracy of every dense head."""
        found = {name: [round(part, 3) for part in parts] for name, parts in self.accuracy().items()}
        return {**super().training_info(progress), "accuracy": found}

    def export(self, path: Path, info: Mapping[str, object], *, replace: bool = True) -> Path:
        """Write the body with batch norm folded in, the heads, and the channels' statistics and names."""
        return export(path, self.module, self.world, self.settings.width, info, replace=replace)
