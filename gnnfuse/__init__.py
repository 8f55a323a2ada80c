"""gnnfuse: fuse images, audio, text and your own node types with graph neural networks."""

__version__ = "0.1.0"
