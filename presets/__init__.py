"""The built-in presets: TOML files beside this one, which `dreamer.plugins.loading` registers."""
