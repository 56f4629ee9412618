"""Loops: clips over a photo in which dreams come and go, and whose end meets the start.

Room videos; knows pipelines and states, no files and no words.
"""

MOST_SEEDS = 12
"""The most dreams that a loop goes through."""
