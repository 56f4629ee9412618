"""The motif world: what reverie learns to see, and so what it dreams."""

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
"""Every motif there is."""
