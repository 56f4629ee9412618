"""The mathematics of a dream: octaves, scores, tiles, steps, colour.

Layer 4. Functions of tensors and callables: nothing here knows a recipe, an ingredient by name, or a file.
"""
