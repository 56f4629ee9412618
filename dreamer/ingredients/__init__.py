"""Every function that a recipe can name: a file for each kind, registered through the hooks that plugins use.

Layer 5. An ingredient's keyword-only arguments are its options: its documentation, command line and preset schema.
"""
