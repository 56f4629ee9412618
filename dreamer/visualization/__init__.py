"""Feature visualization: what a unit of a network wants to see, and which pictures excite it.

Layer 7, on top of the pipeline. Nothing here parses options or prints.
"""
