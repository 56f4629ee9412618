"""Every motif, some samples of each: the whole motif world on one sheet."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.motifs.portrait import portraits
from dreamer.motifs.relief import Motif

_GAP = 4


def rows(motifs: Iterable[Motif], samples: int, size: int, seed: int) -> Tensor:
    """(rows, samples, 3, size, size): each motif by itself."""
    return torch.stack([portraits(motif, samples, size, torch.Generator().manual_seed(seed)) for motif in motifs])


def sheet(motifs: Iterable[Motif], samples: int = 12, size: int = 128, seed: int = 0) -> Tensor:
    """(1, 3, H, W) in [0, 1]: a row for each motif."""
    tiles = F.pad(rows(motifs, samples, size, seed), (_GAP, 0, _GAP, 0), value=0.08)
    count, samples, _, high, wide = tiles.shape
    return tiles.permute(2, 0, 3, 1, 4).reshape(1, 3, count * high, samples * wide)
