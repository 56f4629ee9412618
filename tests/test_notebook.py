"""dreamer in a notebook: progress, a sheet, a table, a short mistake, and an interrupt that keeps the picture."""

from __future__ import annotations

from typing import Any

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")

CELLS = [
    """
import os
os.environ["OMP_NUM_THREADS"] = "1"
import dreamer
from dreamer.testing.tiny import tiny_network
network = tiny_network()
network
""",
    """
shown = []
from IPython.display import DisplayHandle
update = DisplayHandle.update
DisplayHandle.update = lambda self, html: (shown.append(html.data), update(self, html))[1]
dreamer.visualize(network, channel=1, count=3, size=40, steps=4)
""",
    "DisplayHandle.update = update\nprint(shown[0], repr(shown[-1]))",
    "dreamer.visualize(network, channel=1, size=40, steps=2, on_step=lambda step: None)[0]",
    "dreamer.visualize(network, channel=999)",
    """
def stop(step):
    raise KeyboardInterrupt

try:
    dreamer.visualize(network, channel=1, size=40, on_step=stop)
except dreamer.Interrupted as stopped:
    print(stopped.picture[0].size)
""",
]


def outputs(cell: Any) -> dict[str, str]:
    """What a cell shows, by its type: MIME types, `stream`, `error`."""
    shown: dict[str, str] = {}
    for output in cell.outputs:
        if output.output_type == "error":
            shown["error"] = "\n".join(output.traceback)
        elif output.output_type == "stream":
            shown["stream"] = shown.get("stream", "") + output.text
        else:
            shown |= {kind: str(data) for kind, data in output.data.items()}
    return shown


@pytest.mark.filterwarnings("ignore")  # of the libraries that run notebooks
def test_a_notebook_runs_from_the_first_cell_to_the_last() -> None:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    nbclient.NotebookClient(book, timeout=120, allow_errors=True, kernel_name="python3").execute()
    table, sheet, bar, silent, mistake, stopped = map(outputs, book.cells)
    assert "<table>" in table["text/html"] and "3 layers" not in table.get("error", "")
    assert sheet["image/png"].startswith("iVBOR"), "three pictures are one sheet"
    assert len(book.cells[1].outputs) == 2 and not sheet.get("error"), "the bar, which ends empty, and the sheet"
    assert bar["stream"].startswith("<progress") and "octave 1/1, 40x40, score" in bar["stream"]
    assert bar["stream"].endswith(" ''\n")
    assert silent.keys() <= {"image/png", "image/jpeg", "text/plain"}
    assert mistake["error"].startswith("UsageError: ") and mistake["error"].count("\n") == 0
    assert "999" in mistake["error"] and stopped == {"stream": "(40, 40)\n"}
