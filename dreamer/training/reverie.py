"""The training of reverie: naming what is where, until its weights dream."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from dreamer.motifs.composite import Pictures
from dreamer.networks.reverie import reverie, weights_path
from dreamer.training.album import Album
from dreamer.training.checkpoint import Mark
from dreamer.training.export import export
from dreamer.training.train import Settings, Training
from dreamer.training.trainee import Trainee, accuracy, inherit

_RATE, _WARM_UP = 3e-3, 200  # the learning rate at its height, and the batches until then
_TUNING_RATE, _TUNING_WARM_UP = 1.5e-3, 20
_DECAY = 0.05
_RESTING = 1 / 3  # of a fine-tuning's time: so long its first blocks stay as they are
_ADVERSARY = (0.35, 0.75)  # of the time: from and to where its strength grows
_EPSILON = 1.3 / 96  # its strength at the end: the L2 norm of its change, per pixel of a side


class ReverieTraining(Training):
    """Reverie's; raises NetworkError when it is to start from weights of another width."""

    learns = "reverie"
    shipped = weights_path()

    def __init__(
        self, settings: Settings, device: torch.device, album: Album | None = None, start: Path | None = None
    ) -> None:
        super().__init__(settings, device, album, start)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.module: Trainee = Trainee(len(self.world.names), self.world.kinds, settings.width)
        if self.start:
            inherit(self.module, reverie(self.start), self.world.names, torch.split(self.held_out.image, 64))
        self.module.to(device).to(memory_format=torch.channels_last)
        early, late = self.module.halves()
        groups = [{"params": early, "early": True}, {"params": late, "early": False}]
        self.optimiser = torch.optim.AdamW(groups, _RATE, weight_decay=_DECAY)
        self._motif_of = self.world.motif_of.to(device)

    def learn(self, batch: Pictures, share: float, samples: int) -> float:
        """Learn from a batch; later also from the same batch made harder. Returns the loss.

        What makes it harder is the gradient of the first pass, which is there anyway (Shafahi 2019).
        """
        height, batches = (_TUNING_RATE, _TUNING_WARM_UP) if self.tunes else (_RATE, _WARM_UP)
        rate = self.rate(height, batches, share, samples)
        for group in self.optimiser.param_groups:
            group["lr"] = 0.0 if self.tunes and group["early"] and share < _RESTING else rate
        ramp = (share - _ADVERSARY[0]) / (_ADVERSARY[1] - _ADVERSARY[0])
        epsilon = _EPSILON * batch.image.shape[-1] * min(1.0, max(0.0, ramp))
        image, kind, second = (part.detach().to(self.device) for part in (batch.image, batch.kind, batch.second))
        loss = self._step(image.requires_grad_(epsilon > 0), kind, second)
        if image.grad is not None:
            norm = image.grad.flatten(1).norm(dim=1).clamp_min(1e-12)
            amount = epsilon * torch.rand(len(image), device=self.device) / norm
            loss = self._step(image.detach() + amount[:, None, None, None] * image.grad, kind, second)
        return loss

    def _step(self, image: Tensor, kind: Tensor, second: Tensor) -> float:
        self.module.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            loss = self.module.loss(image, kind, second, self._motif_of)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return float(loss.detach())

    @torch.no_grad()
    def accuracy(self) -> dict[str, tuple[float, float]]:
        """Of the dense heads, over held-out pictures: {layer: (of all places, mean over the classes)}."""
        self.module.eval()
        answers: dict[str, list[Tensor]] = {}
        for part in torch.split(self.held_out.image, 64):
            seen = self.module.features(part.to(self.device))
            for name, head in self.module.dense.items():
                answers.setdefault(name, []).append(head(seen[name]).cpu())
        whole = {name: torch.cat(parts) for name, parts in answers.items()}
        return accuracy(whole, self.world.motif_of[self.held_out.kind], self.held_out.second)

    def measures(self) -> dict[str, float]:
        """How often the dense head at m4b is right: of all `places`, and of a motif's, the mean over the `motifs`."""
        places, motifs = self.accuracy()["m4b"]
        return {"places": places, "motifs": motifs}

    def story(self, mark: Mark) -> dict[str, object]:
        """With the accuracy of every layer."""
        found = {name: [round(part, 3) for part in parts] for name, parts in self.accuracy().items()}
        return {**super().story(mark), "accuracy": found}

    def export(self, path: Path, story: Mapping[str, object]) -> None:
        """The body, batch norm folded, the heads, and what is known of the channels."""
        export(path, self.module, self.world, self.settings.width, story)
