"""What a recipe may say: plain data, merged, read, told apart, and kept as presets or inside pictures.

Layer 2. Nothing here imports torch, a network or an ingredient: names are looked up in a `Registry`.
"""
