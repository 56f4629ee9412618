"""What others add to dreamer: found, loaded each in its own guard, installed and remembered.

Layer 3. A plugin is code with the rights of whoever runs it; a pack of presets is data, and is never imported.
"""
