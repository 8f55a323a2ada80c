"""`python -m gnnfuse.cli` is `gnnfuse`."""

from gnnfuse.cli.commands import main

main()
