"""An atlas of a network: what each channel of its layers wants to see, what excites it, and where it fires on a photo.

After the pages of OpenAI's Microscope (Schubert 2020) and The Building Blocks of Interpretability (Olah 2018). A
`LayerSection` is a layer; `plates` paints its channels, `Channels` ranks a folder's pictures by them, `look` shows
where they fire on a photo, and an `Atlas` of them all is written as one page of HTML.
"""

from dreamer.visualization.atlas.activation_maps import ActivationMaps, Activations, look
from dreamer.visualization.atlas.channel_images import SIZE, STEPS, plates, words
from dreamer.visualization.atlas.commands import Commands
from dreamer.visualization.atlas.exemplar_crops import COUNT, Best, Channels, Crop, cut
from dreamer.visualization.atlas.layer_section import LayerSection, chosen, made, sections_of
from dreamer.visualization.atlas.page import Atlas, plates_in

__all__ = [
    "COUNT",
    "SIZE",
    "STEPS",
    "ActivationMaps",
    "Activations",
    "Atlas",
    "Best",
    "Channels",
    "Commands",
    "Crop",
    "LayerSection",
    "chosen",
    "cut",
    "look",
    "made",
    "plates",
    "plates_in",
    "sections_of",
    "words",
]
