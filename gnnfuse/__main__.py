"""`python -m gnnfuse` is `gnnfuse`."""

from gnnfuse.cli import main

if __name__ == "__main__":
    main()
