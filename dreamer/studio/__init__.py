"""The studio: a page on this machine alone, for those who would rather not type.

Layer 9, beside the command line. The server imports no torch and decodes no picture: an engine, a process of its own
that the command line provides, does both, so that no file and no crash takes the page down. What is asked of it is a
command line, the very one that the page shows.
"""
