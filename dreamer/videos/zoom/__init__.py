"""Zooms: clips that fall endlessly into a dream.

Part of layer 7, on top of the pipeline; makes frames and writes none. `Zoom` says how a clip moves, `Path` computes
where that leads, `Scene` what its frames are made of; `frames_of` makes the frames.
"""
