"""Dreams over clips: what was dreamt into a frame moves with the things it was dreamt into.

Part of layer 7, on top of the pipeline; takes frames and gives frames, and opens no file.
"""
