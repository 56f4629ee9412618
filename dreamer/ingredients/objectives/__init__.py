"""Objectives at a layer: (features (B, C, h, w), *, options) -> score map (B, h, w); larger is dreamier.

The map's mean over all positions of the picture is climbed. Where each position looks only at its own features, or at
as many around it as `reaching` says, tiles are exact. An objective that looks at the whole picture gives one score a
picture, (B, 1, 1), and works untiled.

A weight of -1 asks for less of something. Behind a ReLU that ends where nothing is left: below zero the way is flat.
Look before the ReLU then, where the network has a layer there.
"""

from __future__ import annotations

from dreamer.hookspecs import Register, hookimpl
from dreamer.ingredients.objectives.activation import channel, deepdream, neuron
from dreamer.ingredients.objectives.batch import alignment, diversity
from dreamer.ingredients.objectives.classes import logit, probability
from dreamer.ingredients.objectives.direction import arithmetic, concept, direction, interpolation
from dreamer.ingredients.objectives.likeness import (
    caricature,
    content,
    guide_inversion,
    guided,
    inversion,
    style,
    texture,
)
from dreamer.ingredients.objectives.motif import motif

_ALL = (
    *(deepdream, channel, neuron, motif, logit, probability),
    *(direction, concept, arithmetic, interpolation, diversity, alignment),
    *(guided, style, texture, guide_inversion, content, inversion, caricature),
)

__all__ = [function.__name__ for function in _ALL]


@hookimpl
def register_objectives(register: Register) -> None:
    """The built-in objectives."""
    for function in _ALL:
        register(function)
