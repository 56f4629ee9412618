"""The meeting of recipe, network and ingredients: words become a `Pipeline`, and a picture its dream.

Layer 6. `build` merges and checks the words, `bind` fills in the ingredients' options, `plan` settles octaves and tile
once for all pictures of a size, and `Pipeline.ascend` dreams over one. Nothing here reads or writes a file of pictures.
"""
