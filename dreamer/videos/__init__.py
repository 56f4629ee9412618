"""Clips: reading and writing them, dreaming over a film, zooming into a photo.

Layer 7, on top of the pipeline. `clip` knows nothing of dreams; `film` and `zoom` make frames and write none.
"""
