"""Plugins: finding, loading and installing them, and the record of installed ones.

Layer 3. A plugin is code that runs with the user's rights; a pack of presets is data, and is never imported.
"""
