"""Zooms whose camera moves in depth: near parts of the photo move more than far ones.

Part of `videos.zoom`. `Camera` says where the camera is, `Relief` how near each part of the photo is and what lies
behind it, `look` where each pixel of a frame looks; `DepthZoom` makes the frames.
"""
