"""Recipes: plain data that is merged, checked, compared, and stored as presets or inside pictures.

Layer 2. Nothing here imports torch, a network or an ingredient: names are looked up in a `Registry`.
"""
