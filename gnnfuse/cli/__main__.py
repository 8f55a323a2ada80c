"""`python -m gnnfuse.cli` is `gnnfuse`."""

from gnnfuse.cli.commands import main

if __name__ == "__main__":
    main()
