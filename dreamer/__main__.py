"""`python -m dreamer`, which also runs in a checkout that is not installed."""

import sys

from dreamer.errors import not_installed

try:
    from dreamer.cli import main
except ModuleNotFoundError as error:
    sys.exit(f"dreamer: {not_installed(error)}")

main()
