"""For plugin authors: checks everything that a plugin registers, on a tiny network and a small photo.

    from dreamer.testing import assert_plugin_ok

    def test_my_plugin():
        assert_plugin_ok("dreamer-hello")

With `pytest_plugins = ["dreamer.testing"]` in a conftest.py, tests can use the fixtures `dreamer_network` and
`dreamer_photo`. Layer 7. Nothing here needs pytest. (PYTEST_DONT_REWRITE: it has no assertions to rewrite.)
"""

from __future__ import annotations

from contextlib import suppress

from PIL.Image import Image

from dreamer.networks.network import Network
from dreamer.testing.finding import Finding, broken
from dreamer.testing.runner import assert_plugin_ok, examine
from dreamer.testing.tiny import as_image, photo, tiny_network

__all__ = ["Finding", "as_image", "assert_plugin_ok", "broken", "examine", "photo", "tiny_network"]

with suppress(ImportError):
    import pytest

    @pytest.fixture
    def dreamer_network() -> Network:
        """A new tiny network for each test."""
        return tiny_network()

    @pytest.fixture
    def dreamer_photo() -> Image:
        """A small photo, a PIL image of 96x72 pixels."""
        return photo()
