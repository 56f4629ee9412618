"""Reading and writing clips: `ClipWriter` writes one and can be resumed after a crash, `frames` reads one.

Part of layer 7; knows nothing of dreams, networks or recipes but their text. A frame is uint8 (H, W, 3), sRGB, upright;
a time is a Fraction of seconds from the first frame.
"""
