"""Files: strangers' read within bounds, ours written whole or not at all, and what their names say.

Layer 0. Imports `errors` alone and nothing heavy; knows no picture and no clip.
"""

from dreamer.files.disk import (
    free,
    is_link,
    is_taken,
    make_folder,
    mark_temporaries,
    read_bounded,
    remove_temporaries,
    replacing,
    rescue,
    taken,
    write_atomically,
)

__all__ = [
    "free",
    "is_link",
    "is_taken",
    "make_folder",
    "mark_temporaries",
    "read_bounded",
    "remove_temporaries",
    "replacing",
    "rescue",
    "taken",
    "write_atomically",
]
