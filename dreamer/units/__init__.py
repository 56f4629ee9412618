"""Work in units: what is to be made, by path and hash, and the processes or machines that make it.

Layer 1. Imports `errors` and `files` alone; knows no picture and no clip: what makes a unit is named, and is imported
where it is made.
"""
