"""The motif world: everything that reverie learns to recognise, drawn by formula, and so what it dreams.

Beside layer 1: imports nothing else of dreamer.
"""

from __future__ import annotations

from dreamer.motifs import beings, buildings, compounds, creatures, flowers, ornament, plants, sea
from dreamer.motifs.relief import Motif

MOTIFS: tuple[Motif, ...] = (
    *creatures.MOTIFS,
    *beings.MOTIFS,
    *flowers.MOTIFS,
    *plants.MOTIFS,
    *sea.MOTIFS,
    *buildings.MOTIFS,
    *ornament.MOTIFS,
    *compounds.MOTIFS,
)
"""All motifs."""
