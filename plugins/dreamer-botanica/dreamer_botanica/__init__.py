"""Presets of dreamer-botanica: data, nothing to import."""
