"""The presets of dreamer-botanica: TOML files only, no code."""
