"""Loops: a photo whose dream breathes, and whose end meets its start.

Room videos; knows pipelines and states, no files and no words.
"""

MOST_SEEDS = 12
"""The most dreams that a loop goes through."""
