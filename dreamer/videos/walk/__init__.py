"""Walks: clips over one photo in which a look becomes the next.

Part of layer 7, on top of the pipeline; makes frames and writes none. `mixed` interpolates recipes; `Walk` makes the
frames.
"""

MOST_LOOKS = 32
