"""Feature visualization: pictures that excite a unit of a network, made or found in a folder.

Layer 7, on top of the pipeline. Nothing here parses options or prints.
"""
