"""What dreamer does not wait for: torchvision, and torch's compiler, which stays whole for whoever asks for it."""

from __future__ import annotations

import sys

from forked import run


def printed(script: str) -> str:
    """What a program prints, and then the errors that it ends with."""
    ran = run([sys.executable, "-c", script])
    return ran.stdout + ran.stderr * (ran.returncode != 0)


def test_a_program_does_not_wait_for_torchvision() -> None:
    assert printed("import sys, dreamer.api; print('torchvision' in sys.modules)") == "False\n"


def test_a_dream_does_not_wait_for_torchs_compiler() -> None:
    """Shapes that are asked for on "meta" would import it, in a second or more."""
    script = (
        "import sys, dreamer\nfrom PIL import Image\nfrom dreamer.pipeline import session\n"
        "from dreamer.pipeline import demand\ndemand._SMALL = 0\n"
        "session._SMALL, session.bfloat16_pays = 0, lambda device: True\n"
        "dreamer.dream(Image.new('RGB', (48, 40), 'grey'), octaves={'steps': 1})\n"
        "print('torch._dynamo' in sys.modules)"
    )
    assert printed(script) == "False\n"


def test_torchvision_does_not_wait_for_torchs_compiler_and_both_are_whole() -> None:
    script = (
        "import sys, torch\nfrom dreamer.networks.torchvision import classics\n"
        "next(classic for classic in classics() if classic.name == 'squeezenet1_0').untrained()\n"
        "print([name for name in sys.modules if name.startswith('torch._dynamo')])\n"
        "from torchvision.ops import roi_align\n"
        "print(*roi_align(torch.ones(1, 1, 8, 8), torch.tensor([[0, 0, 0, 4.0, 4.0]]), 1).shape)\n"
        "print(torch.compile(lambda seen: seen + 1, backend='eager')(torch.zeros(1)).item())\n"
    )
    assert printed(script) == "[]\n1 1 1 1\n1.0\n"


def test_a_visualization_does_not_wait_for_torchs_compiler() -> None:
    """Its canvas is tried on "meta", and torch's optimisers import it."""
    script = (
        "import sys, dreamer\n"
        "dreamer.visualize('reverie', 'm4a', channel=3, size=48, octaves={'count': 1, 'steps': 2})\n"
        "print('torch._dynamo' in sys.modules)"
    )
    assert printed(script) == "False\n"


def test_nor_does_a_plugins_network_that_imports_torchvision() -> None:
    script = (
        "import sys\nfrom dreamer.api import registry\nfrom dreamer.networks import load_from\n"
        "from dreamer.testing.tiny import tiny_network\n"
        "def made():\n    import torchvision\n    return tiny_network()\n"
        "shelf = registry().networks\nshelf.add('own', 'a plugin', made)\nload_from(shelf, 'own')\n"
        "print('torchvision' in sys.modules, 'torch._dynamo' in sys.modules)"
    )
    assert printed(script) == "True False\n"


def test_nor_do_the_layers_of_a_large_network() -> None:
    script = (
        "import sys, torch\nfrom dreamer.networks.torchvision import classics\n"
        "from dreamer.networks import copies\ncopies._QUICK_WEIGHTS = 0\n"
        "network = next(classic for classic in classics() if classic.name == 'squeezenet1_0').untrained()\n"
        "print(len(network.layers()) > 20, 'torch._dynamo' in sys.modules)\n"
    )
    assert printed(script) == "True False\n"


BEGUN = "import sys, torch\nfrom dreamer.networks.without_compiler import without_compiler\n"


def test_torchs_compiler_marks_what_ran_without_it_and_nothing_is_left() -> None:
    script = (
        "@torch._disable_dynamo\ndef marked(): return 'run'\n"
        "before = [*sys.meta_path]\n"
        "with without_compiler(): print(marked(), *torch.zeros(2, 3, device='meta').add(1).shape)\n"
        "left = [name for name in sys.modules if name.startswith('torch._dynamo')]\n"
        "print(left, vars(marked.__wrapped__), sys.meta_path == before)\n"
        "import torch._dynamo\n"
        "print(marked(), len(vars(marked.__wrapped__)))\n"
    )
    assert printed(BEGUN + script) == "run 2 3\n[] {} True\nrun 1\n"


def test_whoever_asks_for_torchs_compiler_gets_it() -> None:
    script = (
        "with without_compiler():\n"
        "    import torch._dynamo.exc as one\n"
        "    print(torch.compile(lambda seen: seen + 1, backend='eager')(torch.zeros(1)).item())\n"
        "import torch._dynamo.exc\n"
        "print(one is torch._dynamo.exc is sys.modules['torch._dynamo'].exc, one.__spec__.origin == one.__file__)\n"
    )
    assert printed(BEGUN + script) == "1.0\nTrue True\n"


def test_what_is_not_to_be_compiled_is_not() -> None:
    script = (
        "import importlib.util\n"
        "with without_compiler():\n"
        "    print(importlib.util.find_spec('torch._dynamo').name)\n"
        "    from torch._dynamo import disable\n    from torch._dynamo.utils import is_compile_supported\n"
        "    never = torch.compiler.disable(reason='slow')(lambda seen: seen + 1)\n"
        "    print(never(1), is_compile_supported('cpu'), disable(torch.relu)(torch.ones(1)).item())\n"
        "try: torch.compile(lambda seen: never(seen) + 1, backend='eager', fullgraph=True)(torch.zeros(1))\n"
        "except Exception as error: print(type(error).__name__)\n"
    )
    assert printed(BEGUN + script) == "torch._dynamo\n2 True 1.0\nUnsupported\n"


def test_another_thread_may_ask_torchs_compiler_meanwhile() -> None:
    script = (
        "import threading, time\n"
        "def own():\n    with without_compiler(): torch.zeros(2, device='meta').add(1)\n"
        "def other():\n    time.sleep(0.1)\n    import torch._dynamo.config\n"
        "threads = [threading.Thread(target=work, daemon=True) for work in (own, other)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join(60)\n"
        "print([thread.is_alive() for thread in threads], sys.modules['torch._dynamo'].__file__ is not None)\n"
    )
    assert printed(BEGUN + script) == "[False, False] True\n"
