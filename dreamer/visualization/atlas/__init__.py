"""An atlas of a network: for each channel a visualization, exemplars, and its activations on a photo.

After the pages of OpenAI's Microscope (Schubert 2020) and The Building Blocks of Interpretability (Olah 2018). Part of
layer 7, on top of the pipeline. A `LayerSection` is a layer; `draw_channels` makes its channels' images, `Channels`
ranks a folder's pictures by them, `activations_on` measures a photo, and an `Atlas` of all becomes one HTML page.
"""

from dreamer.visualization.atlas.activation_maps import ActivationMaps, Activations, activations_on
from dreamer.visualization.atlas.channel_images import SIZE, STEPS, channel_recipe, draw_channels
from dreamer.visualization.atlas.commands import Commands
from dreamer.visualization.atlas.exemplar_crops import COUNT, Best, Channels, Crop, cut_crops
from dreamer.visualization.atlas.layer_section import LayerSection, recipe_hash, sections_of, select_channels
from dreamer.visualization.atlas.page import Atlas, reuse_images

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
    "activations_on",
    "channel_recipe",
    "cut_crops",
    "draw_channels",
    "recipe_hash",
    "reuse_images",
    "sections_of",
    "select_channels",
]
