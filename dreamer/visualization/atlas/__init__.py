"""An atlas of a network: for each channel a visualization, exemplars, and its activations on a photo.

After the pages of OpenAI's Microscope (Schubert 2020) and The Building Blocks of Interpretability (Olah 2018). Part of
layer 7, on top of the pipeline. A `LayerSection` is a layer; `draw_channels` makes its channels' images, `Channels`
ranks a folder's pictures by them, `activations_on` measures a photo, and an `Atlas` of all becomes one HTML page.
"""
