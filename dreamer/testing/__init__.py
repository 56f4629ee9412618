"""For plugin authors: a tiny network, a small photo, and everything that a plugin brings tried on them.

    from dreamer.testing import assert_plugin_ok

    def test_my_plugin():
        assert_plugin_ok("dreamer-hello")

With `pytest_plugins = ["dreamer.testing"]` in a conftest.py, tests may ask for `dreamer_network` and `dreamer_photo`.
Nothing here needs pytest. (PYTEST_DONT_REWRITE: there are no assertions in it, and it may be imported early.)
"""

from __future__ import annotations

from PIL.Image import Image

from dreamer.networks.network import Network
from dreamer.testing.finding import Finding, broken
from dreamer.testing.runner import assert_plugin_ok, examine
from dreamer.testing.tiny import as_image, photo, tiny_network

__all__ = ["Finding", "as_image", "assert_plugin_ok", "broken", "examine", "photo", "tiny_network"]

try:
    import pytest
except ImportError:
    pass
else:

    @pytest.fixture
    def dreamer_network() -> Network:
        """The tiny network, made anew for each test."""
        return tiny_network()

    @pytest.fixture
    def dreamer_photo() -> Image:
        """A small photo, a PIL image of 96x72 pixels."""
        return photo()
