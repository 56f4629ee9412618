"""Training of the built-in networks, reverie and the decoder, and fine-tuning on a person's own pictures.

Layer 6, beside the pipeline: uses the motif world and the networks; the command line only calls `train`.
"""
