"""The motif world: what reverie learns to see, and so what it dreams."""
import importlib
from dreamer.motifs.relief import Motif
def _all():
    found=[]
    for name in ("creatures","beings","plants","sea","buildings","ornament","compounds"):
        try: found+=importlib.import_module("dreamer.motifs."+name).MOTIFS
        except Exception as e: print(name, repr(e)[:200])
    return tuple(found)
def __getattr__(name):
    if name=="MOTIFS": return _all()
    raise AttributeError(name)
