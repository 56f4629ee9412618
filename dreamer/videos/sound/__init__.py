"""Sound: what is heard in a song, as curves over time that drive a zoom or a film.

Part of layer 7; knows files of sound, and neither frames nor dreams. `heard_in` analyses a song, `driven_by` lays the
words of drives upon it.
"""
