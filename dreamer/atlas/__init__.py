"""An atlas of a network: what each channel of its layers wants to see, what excites it, and where it fires on a photo.

After the pages of OpenAI's Microscope (Schubert 2020) and The Building Blocks of Interpretability (Olah 2018). A
`Chapter` is a layer; `plates` paints its channels, `Channels` ranks a folder's pictures by them, `look` shows where
they fire on a photo, and an `Atlas` of them all is written as one page of HTML.
"""

from dreamer.atlas.chapter import Chapter, chosen, made
from dreamer.atlas.commands import Commands
from dreamer.atlas.crops import COUNT, Best, Channels, Crop, cut
from dreamer.atlas.heat import Activations, Heat, look
from dreamer.atlas.page import Atlas, plates_in
from dreamer.atlas.plates import SIZE, STEPS, plates, words

__all__ = [
    "COUNT",
    "SIZE",
    "STEPS",
    "Activations",
    "Atlas",
    "Best",
    "Channels",
    "Chapter",
    "Commands",
    "Crop",
    "Heat",
    "chosen",
    "cut",
    "look",
    "made",
    "plates",
    "plates_in",
    "words",
]
