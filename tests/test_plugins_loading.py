"""Plugins that ask dreamer for something while it loads them, each in a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from forked import AFRESH, run

ASKS = "import dreamer\nfrom dreamer.plugins.loading import load_plugins\n"
TILT = '''
def tilt(image, *, power: float = 2.0):
    """Unlikeness of the picture to its mirror image."""
    return (image - image.flip(-1)).abs().pow(power).mean()
'''
HOOK = """
@dreamer.hookimpl
def register_priors(register):
    print("hook\\n", end="", flush=True)
    {asked}
    register(tilt)
"""
ASKED = "dreamer.load_network('reverie'); load_plugins()[0].networks.get('reverie')"


def fresh(site: Path, name: str, code: str, script: str) -> str:
    """What a script prints in a process of its own, where a plugin of that code is installed."""
    site.mkdir()
    (site / f"{name}.py").write_text(code)
    about = site / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[dreamer]\n{name} = {name}\n")
    alone = {**os.environ, "PYTHONPATH": str(site), "DREAMER_PLUGINS": name, "OMP_NUM_THREADS": "1"}
    ran = run([sys.executable, "-c", script], env=alone)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


WHOLE = """
from dreamer.api import registry
names = registry()
assert "reverie" in names.networks.names() and "classic" in names.presets.names()
print(names.ingredients["priors"].get("tilt").full_name, names.broken)
"""


def test_a_hook_that_asks_sees_what_is_registered_so_far(tmp_path: Path) -> None:
    out = fresh(tmp_path / "site", "asks", ASKS + TILT + HOOK.format(asked=ASKED), WHOLE + "import torchvision")
    assert out == "hook\nasks:tilt {}\n"


def test_a_plugin_that_asks_while_it_is_imported_does_too(tmp_path: Path) -> None:
    code = ASKS + f'print("import", load_plugins()[1], flush=True)\n{ASKED}\n' + TILT + HOOK.format(asked="pass")
    assert fresh(tmp_path / "site", "asks", code, WHOLE) == "import ()\nhook\nasks:tilt {}\n"


def test_a_plugin_that_asks_while_a_person_imports_it_is_said_to_be_broken(tmp_path: Path) -> None:
    code = ASKS + "dreamer.load_network('reverie')\n" + TILT + HOOK.format(asked="pass")
    script = AFRESH + "import asks\nfrom dreamer.api import registry\nprint(registry().broken['asks'])"
    out = fresh(tmp_path / "site", "asks", code, script)
    assert "asks is still being imported" in out


def test_another_thread_meanwhile_gets_all_that_is_registered(tmp_path: Path) -> None:
    code = (
        "import threading\n"
        + ASKS
        + "together = threading.Barrier(2, timeout=60)\n"
        + TILT
        + HOOK.format(asked="together.wait(); dreamer.load_network('reverie')")
    )
    script = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from dreamer.plugins.loading import load_plugins\n"
        "with ThreadPoolExecutor() as pool:\n"
        "    loads = [pool.submit(load_plugins) for _ in range(2)]\n"
        "for load in loads:\n"
        "    names, found = load.result()\n"
        "    print(names.ingredients['priors'].get('tilt').full_name, [(p.name, p.problem) for p in found])\n"
    )
    out = fresh(tmp_path / "site", "asks", code, script)
    assert out == "hook\nhook\n" + 2 * "asks:tilt [('asks', '')]\n"
