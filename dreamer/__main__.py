"""`python -m dreamer`."""

from dreamer.cli import main

main()
