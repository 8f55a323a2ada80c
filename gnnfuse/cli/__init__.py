"""The commands of `gnnfuse`."""

from gnnfuse.cli.commands import main

__all__ = ["main"]
